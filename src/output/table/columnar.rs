//! A columnar format, for tests: a vector of values for each column, as Parquet or Arrow would have them.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use super::rows::RowWriter;
use crate::output::columns::{Cell, CellSink, Column, Payload, Row, Table, columns, push_cells};
use crate::output::escape;
use crate::types::Timestamp;

/// A value that outlives its row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(u64),
    Time(i64),
    Text(Vec<u8>),
    Preview(Vec<u8>, bool),
    List(Vec<String>),
}

impl Value {
    /// As its cell in CSV reads, once quotes are taken off.
    pub(super) fn as_csv(&self) -> String {
        let formula =
            |text: String| if text.starts_with(['=', '+', '-', '@', '\'']) { format!("'{text}") } else { text };
        let list_element = |text: &String| {
            let text = text.strip_prefix(' ').map_or_else(|| text.clone(), |rest| format!(r"\x20{rest}"));
            let parts: Vec<_> = text.split(';').enumerate().collect();
            let parts = parts.iter().map(|(place, part)| if *place > 0 { part.trim_start() } else { part });
            parts
                .map(|part| escape::terminal(part.as_bytes()).replace(r"\\x20", r"\x20"))
                .collect::<Vec<_>>()
                .join("; ")
        };
        match self {
            Self::Null => String::new(),
            Self::Bool(value) => value.to_string(),
            Self::Number(value) => value.to_string(),
            Self::Time(nanos) => Timestamp::from_nanos(*nanos).to_string(),
            Self::Text(bytes) => formula(escape::terminal(bytes).into_owned()),
            Self::Preview(bytes, cut) => formula(escape::terminal(bytes).into_owned()) + if *cut { "…" } else { "" },
            Self::List(texts) => formula(texts.iter().map(list_element).collect::<Vec<_>>().join(";")),
        }
    }
}

/// The columns of a table, by place.
pub(super) struct Columnar<T: Table> {
    pub(super) columns: Vec<&'static Column<T>>,
    pub(super) values: Vec<Vec<Value>>,
    /// The place of the column in which rows lack a number.
    lacking: Option<usize>,
    /// Rows that are complete.
    complete: usize,
    rows: usize,
}

impl<T: Table> Columnar<T> {
    fn new(payload: Payload) -> Self {
        let columns: Vec<_> = columns::<T>(payload).collect();
        Self { values: vec![Vec::new(); columns.len()], columns, lacking: None, complete: 0, rows: 0 }
    }
}

impl<T: Table> CellSink for Columnar<T> {
    fn cell(&mut self, place: usize, cell: &Cell<'_>) {
        if matches!(cell, Cell::Pending) {
            self.lacking = Some(place);
        }
        self.values[place].push(match cell {
            Cell::Null | Cell::Pending => Value::Null,
            Cell::Bool(value) => Value::Bool(*value),
            Cell::U64(value) => Value::Number(*value),
            Cell::Time(time) => Value::Time(time.as_nanos()),
            Cell::Name(name) => Value::Text(name.as_bytes().to_vec()),
            Cell::Text(bytes) => Value::Text(bytes.to_vec()),
            Cell::Data(bytes) => Value::Text(bytes.to_vec()),
            Cell::Ip(ip) => Value::Text(ip.to_string().into_bytes()),
            Cell::Uid(uid) => Value::Text(uid.to_string().into_bytes()),
            Cell::Key(key) => Value::Text(key.map(|byte| format!("{byte:02x}")).concat().into_bytes()),
            Cell::Preview(head, cut) => Value::Preview(head.to_vec(), *cut),
            Cell::Codes(codes) => Value::List(codes.iter().map(|code| code.as_str().to_owned()).collect()),
            Cell::Texts(texts) => Value::List(texts.iter().map(|text| text.into_owned()).collect()),
        });
    }
}

/// Columns that can be looked at after their table was written.
pub(super) struct SharedColumns<T: Table>(pub(super) Rc<RefCell<Columnar<T>>>);

impl<T: Table> SharedColumns<T> {
    pub(super) fn new(payload: Payload) -> Self {
        Self(Rc::new(RefCell::new(Columnar::new(payload))))
    }
}

impl<T: Table> Clone for SharedColumns<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T: Table> RowWriter<T> for SharedColumns<T> {
    fn row<'a>(&mut self, row: &'a Row<'a, T::Of<'a>>, waits: bool) -> bool {
        let mut all = self.0.borrow_mut();
        push_cells(&all.columns.clone(), 0, row, &mut *all);
        all.rows += 1;
        all.complete += usize::from(!waits);
        assert!(waits || all.complete == all.rows, "rows are complete in order");
        false
    }

    fn fill(&mut self, row: u64, number: u64) {
        let mut all = self.0.borrow_mut();
        let row = usize::try_from(row).unwrap();
        assert!((all.complete..all.rows).contains(&row), "the row waits");
        let place = all.lacking.expect("a row lacks a number");
        let value = &mut all.values[place][row];
        assert_eq!(*value, Value::Null, "once");
        *value = Value::Number(number);
    }

    fn complete(&mut self) -> bool {
        self.0.borrow_mut().complete += 1;
        false
    }

    fn waiting_bytes(&self) -> usize {
        let all = self.0.borrow();
        (all.rows - all.complete) * all.columns.len() * size_of::<Value>()
    }

    fn write(&mut self, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self, _: &mut dyn Write) -> io::Result<()> {
        let all = self.0.borrow();
        assert_eq!(all.complete, all.rows, "all rows are complete at the end");
        Ok(())
    }

    fn held(&self) -> usize {
        let all = self.0.borrow();
        all.rows * all.columns.len() * size_of::<Value>()
    }
}

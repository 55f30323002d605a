//! Records that wait for the end of a run, for outputs that begin with what is known last.
//!
//! In: records, each with a number. Out: the same records in the order of their numbers. They wait in a temporary file, of
//! which the first bytes are in memory, so that memory does not grow with the capture. The file has no name that other
//! programs could open, and is gone when the program ends, however it ends.
//!
//! ```
//! use wslens::output::Spool;
//!
//! # fn main() -> std::io::Result<()> {
//! let mut spool = Spool::new(1 << 20, "rows wait for their header");
//! spool.push(1, b"second\n")?;
//! spool.push(0, b"first\n")?;
//! let mut out = b"2 rows\n".to_vec();
//! spool.write_in_order(&mut out)?;
//! assert_eq!(out, b"2 rows\nfirst\nsecond\n");
//! # Ok(())
//! # }
//! ```

use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write};

use tempfile::SpooledTempFile;

/// Of the bytes in memory, the part for the index: its records have 24 bytes, the report of a connection some 2,000.
const INDEX_PART: usize = 32;

/// Bytes that are gathered before the file gets them: one call of the system for many records.
const BUFFER: usize = 32 << 10;

/// Records that wait, in memory as far as they fit, then on disk.
#[derive(Debug)]
pub struct Spool {
    records: BufWriter<SpooledTempFile>,
    /// Of each record its number, where it begins in `records`, and its length: 24 bytes.
    index: BufWriter<SpooledTempFile>,
    /// Bytes of records.
    len: u64,
    what_waits: &'static str,
}

impl Spool {
    /// Keeps about `memory_bytes` of records in memory, further ones on disk. `what_waits` completes the sentence of an
    /// error: "the temporary file in which …".
    #[must_use]
    pub fn new(memory_bytes: usize, what_waits: &'static str) -> Self {
        let file = |bytes| BufWriter::with_capacity(BUFFER, SpooledTempFile::new(bytes));
        Self { records: file(memory_bytes), index: file(memory_bytes / INDEX_PART), len: 0, what_waits }
    }

    /// Keeps a record. Records of the same number come back in the order in which they were pushed.
    ///
    /// # Errors
    /// What the temporary file fails with.
    pub fn push(&mut self, number: u64, record: &[u8]) -> io::Result<()> {
        let pushed = self.try_push(number, record);
        pushed.map_err(|error| self.error(&error))
    }

    /// Writes all records to `to`, in the order of their numbers. The index of all of them is in memory meanwhile.
    ///
    /// # Errors
    /// What the temporary file or `to` fails with.
    pub fn write_in_order(&mut self, to: &mut dyn Write) -> io::Result<()> {
        let index = self.sorted_index().map_err(|error| self.error(&error))?;
        let mut record = Vec::new();
        for (_, place, len) in index {
            self.read(place, len, &mut record).map_err(|error| self.error(&error))?;
            to.write_all(&record)?;
        }
        Ok(())
    }

    fn try_push(&mut self, number: u64, record: &[u8]) -> io::Result<()> {
        self.records.write_all(record)?;
        let len = record.len() as u64;
        self.index.write_all([number, self.len, len].map(u64::to_le_bytes).as_flattened())?;
        self.len += len;
        Ok(())
    }

    /// Number, place and length of each record, sorted; flushes both files.
    fn sorted_index(&mut self) -> io::Result<Vec<(u64, u64, u64)>> {
        let mut bytes = Vec::new();
        self.records.flush()?;
        self.index.rewind()?;
        self.index.get_mut().read_to_end(&mut bytes)?;
        let (parts, _) = bytes.as_chunks::<8>();
        let (records, _) = parts.as_chunks::<3>();
        let mut index: Vec<_> = records.iter().map(|record| record.map(u64::from_le_bytes).into()).collect();
        index.sort_unstable();
        Ok(index)
    }

    fn read(&mut self, place: u64, len: u64, into: &mut Vec<u8>) -> io::Result<()> {
        into.clear();
        let records = self.records.get_mut();
        records.seek(SeekFrom::Start(place))?;
        records.take(len).read_to_end(into)?;
        Ok(())
    }

    /// An error of a file that the user did not ask for names the file's purpose.
    fn error(&self, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("the temporary file in which {}: {error}", self.what_waits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes back of records with these numbers; each record holds its number and its place.
    fn written(memory_bytes: usize, numbers: &[u64]) -> String {
        let mut spool = Spool::new(memory_bytes, "records wait for a test");
        for (place, number) in numbers.iter().enumerate() {
            spool.push(*number, format!("{number}.{place} ").as_bytes()).unwrap();
        }
        let mut out = Vec::new();
        spool.write_in_order(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn records_come_back_in_the_order_of_their_numbers() {
        for memory_bytes in [0, 10, 1 << 20] {
            assert_eq!(written(memory_bytes, &[]), "");
            assert_eq!(written(memory_bytes, &[3, 1, u64::MAX, 2, 1]), format!("1.1 1.4 2.3 3.0 {}.2 ", u64::MAX));
        }
    }

    #[test]
    fn more_records_than_memory_are_read_back_from_disk() {
        let numbers: Vec<u64> = (0..40_000).rev().collect();
        let expected: String = (0..40_000).map(|number| format!("{number}.{} ", 39_999 - number)).collect();
        assert!(expected.len() > 8 * BUFFER);
        assert_eq!(written(BUFFER, &numbers), expected);
    }

    #[test]
    fn an_error_says_what_the_file_is_for() {
        let spool = Spool::new(0, "reports wait for their summary");
        let error = spool.error(&io::ErrorKind::StorageFull.into());
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(error.to_string().starts_with("the temporary file in which reports wait for their summary: "));
    }

    #[test]
    fn an_error_of_the_destination_is_its_own() {
        let mut spool = Spool::new(0, "records wait for a test");
        spool.push(0, b"record").unwrap();
        let error = spool.write_in_order(&mut [0_u8; 3].as_mut_slice()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WriteZero);
        assert!(!error.to_string().contains("temporary"));
    }
}

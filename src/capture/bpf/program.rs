//! A compiled packet filter, and the virtual machine that runs it: McCanne and Jacobson, "The BSD Packet Filter", 1993.
//!
//! In: instructions of libpcap's compiler. Out: whether a packet matches. Two registers, sixteen words of memory, jumps
//! forwards only, so every run ends. A packet does not match if the program reads beyond it or divides by zero.

use super::super::record::size;

const MEMORY_WORDS: usize = 16;

/// A filter for one link type.
#[derive(Debug, Clone)]
pub(super) struct Program(Vec<Op>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Load(LoadFrom),
    LoadX(LoadFrom),
    Store(u32),
    StoreX(u32),
    Alu(Alu, Operand),
    Negate,
    Jump(u32),
    Branch { test: Test, with: Operand, yes: u8, no: u8 },
    Return(u32),
    ReturnA,
    ReturnX,
    AToX,
    XToA,
}

/// The operand of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LoadFrom {
    Constant(u32),
    /// Bytes of the packet at a fixed offset.
    At(Width, u32),
    /// Bytes of the packet at an offset from X.
    AfterX(Width, u32),
    Memory(u32),
    /// The packet's length on the wire.
    Length,
    /// Four times the lower half of a byte: the length of an IPv4 header.
    HeaderLength(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    Byte,
    Half,
    Word,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alu {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Or,
    And,
    Xor,
    Left,
    Right,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    Equal,
    Greater,
    GreaterOrEqual,
    AnyBit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operand {
    Constant(u32),
    X,
}

impl Program {
    /// Reads instructions of the form `code jt jf k`, in decimal; `None` if one of them is unknown.
    #[cfg_attr(not(feature = "live"), expect(dead_code, reason = "nothing compiles filters without libpcap"))]
    pub(super) fn decode(instructions: impl Iterator<Item = String>) -> Option<Self> {
        let decode_one = |text: String| {
            let mut numbers = text.split(' ').map(str::parse::<u32>);
            let mut next = || numbers.next()?.ok();
            let (code, yes, no, k) = (next()?, next()?, next()?, next()?);
            Op::decode(code, u8::try_from(yes).ok()?, u8::try_from(no).ok()?, k)
        };
        instructions.map(decode_one).collect::<Option<_>>().map(Self)
    }

    /// Whether a packet with these bytes, and that length on the wire, matches.
    pub(super) fn matches(&self, packet: &[u8], original_len: u32) -> bool {
        let mut machine = Machine { a: 0, x: 0, memory: [0; MEMORY_WORDS], packet, original_len };
        let mut at = 0_usize;
        while let Some(&op) = self.0.get(at) {
            match machine.execute(op) {
                Some(Outcome::Skip(skipped)) => at = at.saturating_add(1).saturating_add(size(skipped)),
                Some(Outcome::Return(value)) => return value != 0,
                None => return false,
            }
        }
        false
    }
}

impl Op {
    /// The instruction set of `bpf(4)`: the class in three bits, then size and mode, or operation and operand.
    fn decode(code: u32, yes: u8, no: u8, k: u32) -> Option<Self> {
        let operand = if code & 0x08 == 0 { Operand::Constant(k) } else { Operand::X };
        Some(match code & 0x07 {
            0 => Self::Load(LoadFrom::decode(code, k)?),
            1 => Self::LoadX(LoadFrom::decode(code, k)?),
            2 => Self::Store(k),
            3 => Self::StoreX(k),
            4 if code & 0xf0 == 0x80 => Self::Negate,
            4 => Self::Alu(Alu::decode(code)?, operand),
            5 if code & 0xf0 == 0 => Self::Jump(k),
            5 => Self::Branch { test: Test::decode(code)?, with: operand, yes, no },
            6 => match code & 0x18 {
                0x00 => Self::Return(k),
                0x08 => Self::ReturnX,
                0x10 => Self::ReturnA,
                _ => return None,
            },
            _ if code & 0xf8 == 0 => Self::AToX,
            _ if code & 0xf8 == 0x80 => Self::XToA,
            _ => return None,
        })
    }
}

impl LoadFrom {
    fn decode(code: u32, k: u32) -> Option<Self> {
        let width = match code & 0x18 {
            0x00 => Width::Word,
            0x08 => Width::Half,
            0x10 => Width::Byte,
            _ => return None,
        };
        Some(match code & 0xe0 {
            0x00 => Self::Constant(k),
            0x20 => Self::At(width, k),
            0x40 => Self::AfterX(width, k),
            0x60 => Self::Memory(k),
            0x80 => Self::Length,
            0xa0 => Self::HeaderLength(k),
            _ => return None,
        })
    }
}

impl Alu {
    const fn decode(code: u32) -> Option<Self> {
        Some(match code & 0xf0 {
            0x00 => Self::Add,
            0x10 => Self::Subtract,
            0x20 => Self::Multiply,
            0x30 => Self::Divide,
            0x40 => Self::Or,
            0x50 => Self::And,
            0x60 => Self::Left,
            0x70 => Self::Right,
            0x90 => Self::Modulo,
            0xa0 => Self::Xor,
            _ => return None,
        })
    }

    fn apply(self, a: u32, b: u32) -> Option<u32> {
        Some(match self {
            Self::Add => a.wrapping_add(b),
            Self::Subtract => a.wrapping_sub(b),
            Self::Multiply => a.wrapping_mul(b),
            Self::Divide => a.checked_div(b)?,
            Self::Modulo => a.checked_rem(b)?,
            Self::Or => a | b,
            Self::And => a & b,
            Self::Xor => a ^ b,
            Self::Left => a.checked_shl(b).unwrap_or(0),
            Self::Right => a.checked_shr(b).unwrap_or(0),
        })
    }
}

impl Test {
    const fn decode(code: u32) -> Option<Self> {
        Some(match code & 0xf0 {
            0x10 => Self::Equal,
            0x20 => Self::Greater,
            0x30 => Self::GreaterOrEqual,
            0x40 => Self::AnyBit,
            _ => return None,
        })
    }

    const fn holds(self, a: u32, b: u32) -> bool {
        match self {
            Self::Equal => a == b,
            Self::Greater => a > b,
            Self::GreaterOrEqual => a >= b,
            Self::AnyBit => a & b != 0,
        }
    }
}

/// How the program goes on after an instruction.
enum Outcome {
    /// With the next instruction, after skipping this number of them.
    Skip(u32),
    /// It ends with this value.
    Return(u32),
}

struct Machine<'a> {
    a: u32,
    x: u32,
    memory: [u32; MEMORY_WORDS],
    packet: &'a [u8],
    original_len: u32,
}

impl Machine<'_> {
    /// `None` if the packet does not match.
    #[inline]
    fn execute(&mut self, op: Op) -> Option<Outcome> {
        match op {
            Op::Load(source) => self.a = self.load(source)?,
            Op::LoadX(source) => self.x = self.load(source)?,
            Op::Store(at) => *self.memory.get_mut(size(at))? = self.a,
            Op::StoreX(at) => *self.memory.get_mut(size(at))? = self.x,
            Op::Alu(alu, operand) => self.a = alu.apply(self.a, self.value(operand))?,
            Op::Negate => self.a = self.a.wrapping_neg(),
            Op::Jump(distance) => return Some(Outcome::Skip(distance)),
            Op::Branch { test, with, yes, no } => {
                let distance = if test.holds(self.a, self.value(with)) { yes } else { no };
                return Some(Outcome::Skip(u32::from(distance)));
            }
            Op::Return(value) => return Some(Outcome::Return(value)),
            Op::ReturnA => return Some(Outcome::Return(self.a)),
            Op::ReturnX => return Some(Outcome::Return(self.x)),
            Op::AToX => self.x = self.a,
            Op::XToA => self.a = self.x,
        }
        Some(Outcome::Skip(0))
    }

    #[inline]
    fn load(&self, source: LoadFrom) -> Option<u32> {
        match source {
            LoadFrom::Constant(value) => Some(value),
            LoadFrom::At(width, at) => self.packet_value(width, at),
            LoadFrom::AfterX(width, distance) => self.packet_value(width, self.x.checked_add(distance)?),
            LoadFrom::Memory(at) => self.memory.get(size(at)).copied(),
            LoadFrom::Length => Some(self.original_len),
            LoadFrom::HeaderLength(at) => self.packet_value(Width::Byte, at).map(|byte| (byte & 0x0f) << 2),
        }
    }

    #[inline]
    fn packet_value(&self, width: Width, at: u32) -> Option<u32> {
        let rest = self.packet.get(size(at)..)?;
        match width {
            Width::Byte => rest.first().map(|&byte| u32::from(byte)),
            Width::Half => rest.first_chunk().map(|&bytes| u32::from(u16::from_be_bytes(bytes))),
            Width::Word => rest.first_chunk().map(|&bytes| u32::from_be_bytes(bytes)),
        }
    }

    const fn value(&self, operand: Operand) -> u32 {
        match operand {
            Operand::Constant(value) => value,
            Operand::X => self.x,
        }
    }
}

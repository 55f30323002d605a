//! permessage-deflate in one direction (RFC 7692): the inflater, and whether its context is known.

use crate::analyzer::memory::Growth;
use crate::tcp::Depth;
use crate::types::Direction;
use crate::websocket::inflate::{Inflater, InflaterPool};
use crate::websocket::{Deflate, FrameHeader};

/// What one direction negotiated, and its inflater.
pub(super) struct Compression {
    /// The parameters, if it was negotiated.
    deflate: Option<Deflate>,
    /// Made when the first compressed message comes.
    inflater: Option<Box<Inflater>>,
    /// Compressed bytes were lost before there was an inflater.
    context_lost: bool,
}

impl Compression {
    pub(super) const fn new(deflate: Option<Deflate>) -> Self {
        Self { deflate, inflater: None, context_lost: false }
    }

    /// Whether permessage-deflate was negotiated.
    #[inline]
    pub(super) const fn is_negotiated(&self) -> bool {
        self.deflate.is_some()
    }

    /// A message begins with this header. Whether it is compressed: permessage-deflate was negotiated and its first frame has
    /// RSV1 (RFC 7692 §6).
    pub(super) fn begin_message(
        &mut self,
        header: &FrameHeader,
        direction: Direction,
        pool: &mut InflaterPool,
    ) -> (bool, Growth) {
        let Some(deflate) = self.deflate.filter(|_| header.rsv1) else { return (false, Growth::NONE) };
        let context_lost = self.context_lost;
        let inflater = self.inflater.get_or_insert_with(|| {
            let mut inflater = Box::new(Inflater::new(&deflate, direction));
            if context_lost {
                inflater.lose_context(pool);
            }
            inflater
        });
        inflater.begin_message(pool);
        (true, Growth::SOME)
    }

    /// The inflater, if a compressed message has come.
    #[inline]
    pub(super) fn inflater(&mut self) -> Option<&mut Inflater> {
        self.inflater.as_deref_mut()
    }

    /// Compressed bytes were lost.
    pub(super) fn lose_context(&mut self, pool: &mut InflaterPool) {
        if let Some(inflater) = &mut self.inflater {
            inflater.lose_context(pool);
        }
    }

    /// Compressed bytes may have been lost, also before the first compressed message.
    pub(super) fn lose_beginning(&mut self, pool: &mut InflaterPool) {
        self.context_lost = true;
        self.lose_context(pool);
    }

    /// Nothing more will be inflated.
    pub(super) fn release(&mut self, pool: &mut InflaterPool) -> Growth {
        let Some(mut inflater) = self.inflater.take() else { return Growth::NONE };
        inflater.release(pool);
        Growth::SOME
    }

    /// Bytes that it keeps besides itself.
    pub(super) fn held(&self) -> usize {
        self.inflater.as_ref().map_or(0, |inflater| size_of::<Inflater>() + inflater.held())
    }

    /// Bytes that [`Self::shed`] frees.
    pub(super) fn sheddable_bytes(&self, depth: Depth) -> usize {
        match depth {
            Depth::Content => 0,
            Depth::Context => self.inflater.as_ref().map_or(0, |inflater| inflater.held()),
        }
    }

    /// Memory is spent: the context is as lost as if bytes were missing. Gives how many bytes that freed.
    pub(super) fn shed(&mut self, depth: Depth, pool: &mut InflaterPool) -> u64 {
        match (depth, &mut self.inflater) {
            (Depth::Context, Some(inflater)) => inflater.shed(pool),
            _ => 0,
        }
    }
}

//! The memory of a forward pass, kept from one to the next.

use super::batch::Group;
use super::{Config, Error, Times};
use tilewise::attention::{self, Attention};
use tilewise::buffer::Buffer;
use tilewise::cache::CacheSizes;
use tilewise::gemm::{FloatPlan, Plan, Scratch};

/// What an [`Encoder`](super::Encoder) writes to: made empty, grown to the largest batch it has
/// seen, and then kept. One for each thread that calls an encoder.
#[derive(Debug, Default)]
pub struct Room {
    pub(super) states: States,
    pub(super) attention: Option<attention::Scratch>,
    /// What `attention` is for: the longest sequence, the team, and whose it is.
    sized: (usize, usize, Option<Attention>),
    pub(super) products: Products,
    pub(super) times: Times,
}

/// What stands for tokens, a row each, between the operations of a layer: those of a group.
#[derive(Debug)]
pub(super) struct States {
    /// Between layers: of all tokens of the batch.
    pub(super) hidden: Buffer<f32>,
    /// Between the two halves of a layer.
    pub(super) middle: Buffer<f32>,
    /// Queries, keys and values.
    pub(super) qkv: Buffer<f32>,
    /// What attention gives.
    pub(super) context: Buffer<f32>,
    /// Inside the feed-forward part.
    pub(super) wide: Buffer<f32>,
}

/// Room for products.
#[derive(Debug, Default)]
pub(super) struct Products {
    scratch: Option<Scratch>,
    /// Bytes `scratch` is large enough for.
    size: usize,
    bytes: Option<Buffer<u8>>,
}

impl Default for States {
    fn default() -> Self {
        let none = || Buffer::zeroed(0).expect("nothing is always there");
        States { hidden: none(), middle: none(), qkv: none(), context: none(), wide: none() }
    }
}

impl Room {
    /// Seconds each kind of operation took since the room was made or they were last
    /// [taken](Room::take_times).
    pub fn times(&self) -> &Times {
        &self.times
    }

    /// The same, and starts again at nothing.
    pub fn take_times(&mut self) -> Times {
        std::mem::take(&mut self.times)
    }

    /// Bytes the room for a batch takes, about: `tokens` in all, `longest` of a sequence at most.
    /// What a product has on the way besides a byte for each of its inputs, and what attention has
    /// for a head, does not grow with the batch and is left out.
    pub fn bytes(config: &Config, tokens: usize, longest: usize) -> usize {
        let together = tokens_at_a_time(config, &CacheSizes::detect()).saturating_add(longest);
        let most = together.min(tokens);
        let narrow = pitch(config.hidden);
        let (wide, inputs) = (pitch(config.intermediate), config.hidden.max(config.intermediate));
        // As `grow` has them: middle and context, queries with keys and values, the wide rows.
        let of_group = (5 * narrow + wide) * size_of::<f32>() + inputs;
        tokens
            .saturating_mul(narrow * size_of::<f32>())
            .saturating_add(most.saturating_mul(of_group))
    }

    /// Makes room for a batch of so many tokens whose layers are passed by these groups.
    pub(super) fn grow(
        &mut self,
        config: &Config,
        attention: &Attention,
        (tokens, groups): (usize, &[Group]),
        threads: usize,
    ) -> Result<(), Error> {
        let most = groups.iter().map(Group::tokens).max().unwrap_or(0);
        let States { hidden, middle, qkv, context, wide } = &mut self.states;
        for (buffer, rows, columns) in [
            (hidden, tokens, config.hidden),
            (middle, most, config.hidden),
            (qkv, most, 3 * config.hidden),
            (context, most, config.hidden),
            (wide, most, config.intermediate),
        ] {
            let numbers = rows * pitch(columns);
            if buffer.len() < numbers {
                *buffer = Buffer::zeroed(numbers)?;
            }
        }
        let longest = groups.iter().map(Group::longest).max().unwrap_or(0);
        let (longest, threads) = (longest.max(self.sized.0), threads.max(self.sized.1));
        if (longest, threads, Some(*attention)) != self.sized {
            self.attention = Some(attention.scratch(longest, threads)?);
            self.sized = (longest, threads, Some(*attention));
        }
        Ok(())
    }
}

impl States {
    /// Moves the rows of `hidden` next to each other, as callers get them: at the end of a pass.
    pub(super) fn close_up(&mut self, tokens: usize, columns: usize) -> &[f32] {
        let pitch = pitch(columns);
        // Rows that were padded; others lie where they belong.
        for row in if pitch == columns { 0..0 } else { 1..tokens } {
            self.hidden.copy_within(row * pitch..row * pitch + columns, row * columns);
        }
        &self.hidden[..tokens * columns]
    }
}

/// About how many tokens go through a layer together: as many as have the states of its
/// feed-forward part, two narrow rows and a wide one each, in the second cache and half as much
/// again. The layer's weights are read again for every group, so that pays only where the group's
/// states, of all its parts, are the greater part of what is read: with `h` the hidden size, about
/// `40 h` bytes for each token and `12 h^2` for weights in bytes, so from `h / 3` tokens on. Else
/// all go together. In floats both weights and time are several times as much: the same holds.
///
/// Measured on two Zen 4 cores, old and new calls in turns: MiniLM 8 x 128 in bytes 1.15 times as
/// fast by groups of 96 to 192 tokens (1.13 by 256), on two cores 1.17 (1.14), in floats 1.04.
/// Base loses 3 to 5 % by groups of 128 to 256, large 5 to 10 %. To cut the rows of a sequence
/// behind its attention, too, was worth nothing more (0.93 to 1.015).
pub(super) fn tokens_at_a_time(config: &Config, caches: &CacheSizes) -> usize {
    let Config { hidden, intermediate, .. } = *config;
    let states = (2 * hidden + intermediate) * size_of::<f32>();
    let fit = caches.l2 * 3 / 2 / states.max(1);
    if fit * 3 >= hidden { fit.max(1) } else { usize::MAX }
}

/// Numbers from a row of states to the next: a line more than it needs where rows would begin whole
/// pages apart. Then the same columns of all rows share a few sets of the first cache, and products
/// of rows of 4 KiB lose 5 to 9 % (two Zen 3 cores).
pub(super) fn pitch(columns: usize) -> usize {
    const PAGE: usize = 4096 / size_of::<f32>();
    const LINE: usize = 64 / size_of::<f32>();
    if columns.is_multiple_of(PAGE) { columns + LINE } else { columns }
}

impl Products {
    pub(super) fn floats(
        &mut self,
        plan: &FloatPlan,
        threads: usize,
    ) -> Result<&mut Scratch, Error> {
        self.scratch(plan.scratch_bytes(threads), || plan.scratch(threads))
    }

    /// For rows of floats, which become bytes there.
    pub(super) fn bytes(&mut self, plan: &Plan, threads: usize) -> Result<&mut Scratch, Error> {
        self.scratch(plan.scratch_bytes(threads), || plan.scratch(threads))
    }

    /// Also room for the inputs as bytes.
    pub(super) fn fixed(
        &mut self,
        plan: &Plan,
        threads: usize,
    ) -> Result<(&mut Scratch, &mut [u8]), Error> {
        let needed = plan.scratch_bytes_for_bytes(threads);
        self.scratch(needed, || Scratch::of_bytes(needed))?;
        let len = plan.shape().m * plan.shape().k;
        if self.bytes.as_ref().is_none_or(|bytes| bytes.len() < len) {
            self.bytes = Some(Buffer::zeroed(len)?);
        }
        let bytes = self.bytes.as_mut().expect("made above");
        Ok((self.scratch.as_mut().expect("made above"), &mut bytes[..len]))
    }

    /// One scratch serves all plans, for they run one after the other.
    fn scratch(
        &mut self,
        needed: usize,
        make: impl FnOnce() -> Result<Scratch, tilewise::gemm::Error>,
    ) -> Result<&mut Scratch, Error> {
        if self.scratch.is_none() || self.size < needed {
            self.scratch = Some(make()?);
            self.size = needed;
        }
        Ok(self.scratch.as_mut().expect("made above"))
    }
}

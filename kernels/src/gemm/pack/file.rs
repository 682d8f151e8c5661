//! Packed weights as bytes that may be stored and used where they lie.
//!
//! [`PackedWeights::to_bytes`] draws the layout. Weights have exactly one image, and
//! [`PackedWeights::from_bytes`] accepts nothing else: sums and flags are derived again from the
//! steps. A forged file can hold other weights, but not give other results on one instruction set
//! than on another.

use super::layout::{Layout, Line, Sections, WORD, Weights};
use super::survey::survey;
use super::{PackedWeights, Storage};
use crate::buffer::{Buffer, LINE, OutOfMemory};
use crate::isa::Isa;
use crate::vector::{GROUP, PANEL, Visitor, Vocabulary, dispatch};
use alloc::{sync::Arc, vec::Vec};
use core::ops::Range;
use twox_hash::XxHash3_64;

const MAGIC: [u8; 8] = *b"\x89TWPK\r\n\x1a";
const VERSION: u32 = 1;

/// Where the fields of the header are.
const VERSION_AT: Range<usize> = 8..12;
const FEATURES_AT: Range<usize> = 12..16;
const SIZES_AT: [Range<usize>; 3] = [16..24, 24..32, 32..40];
const PAYLOAD_HASH_AT: Range<usize> = 40..48;
const ZERO_AT: Range<usize> = 48..56;
const HEADER_HASH_AT: Range<usize> = 56..64;

/// Bytes that are no packed weights, or not whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The bytes do not begin as packed weights do.
    #[error("these are no packed weights: they begin with {given:02x?}, not with {MAGIC:02x?}")]
    Foreign {
        /// The first bytes, eight if there are so many.
        given: Vec<u8>,
    },
    /// Another version of the layout.
    #[error("packed weights of version {given}; this library reads {VERSION}: pack them again")]
    Version {
        /// The version of the file.
        given: u32,
    },
    /// Features this version does not have.
    #[error("packed weights with features {given:#x}; this library knows none: pack them again")]
    Features {
        /// The bits of the file.
        given: u64,
    },
    /// A checksum does not match: something was damaged.
    #[error(
        "the {what} is damaged: its checksum is {given:016x}, stored is {expected:016x}; write or \
         copy it again"
    )]
    Damaged {
        /// Header or payload.
        what: &'static str,
        /// The checksum of what is there.
        given: u64,
        /// The checksum stored with it.
        expected: u64,
    },
    /// More weights than memory has addresses.
    #[error(
        "packed weights of {k} rows and {n} columns, more than memory has addresses: read them on a \
         machine of larger addresses, or pack fewer"
    )]
    Oversized {
        /// Rows.
        k: u64,
        /// Columns.
        n: u64,
    },
    /// The header gives another length than its sizes need.
    #[error("the header says {given} bytes; its sizes need {expected}: pack them again")]
    Lying {
        /// The length in the header.
        given: u64,
        /// What `k` and `n` need.
        expected: usize,
    },
    /// There are fewer or more bytes than there should be.
    #[error("{given} bytes of packed weights; expected {expected}: write or copy them again")]
    Length {
        /// Bytes given.
        given: usize,
        /// Bytes of a header, or those the header says.
        expected: usize,
    },
    /// What is derived from the weights is not what it should be.
    #[error("the {what} of panel {panel} do not follow from its weights: pack them again")]
    Inconsistent {
        /// Which section, or the padding.
        what: &'static str,
        /// The panel of 16 columns.
        panel: usize,
    },
    /// Bytes that could not be used in place did not fit in memory.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
}

impl PackedWeights {
    /// The weights as bytes, to be stored and read with [`PackedWeights::from_bytes`]. The same
    /// weights always give the same bytes, on every CPU.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use tilewise::{Matrix, gemm::PackedWeights};
    /// let weights = PackedWeights::pack(Matrix::new(&[1, 2, 3, 4, 5, 6], 3, 2)?)?;
    /// let bytes = weights.to_bytes()?;
    /// assert_eq!(PackedWeights::from_bytes(Arc::new(bytes.clone()))?.to_bytes()?[..], bytes[..]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Layout
    /// All numbers are little-endian. Every section begins at a multiple of 64 bytes from the start
    /// and stands as it does in memory, so that a file mapped into memory is used without a copy and
    /// shared by all processes that map it. The sizes alone decide where the sections are:
    ///
    /// ```text
    ///  offset  bytes
    ///       0      8  magic: 89 'T' 'W' 'P' 'K' 0D 0A 1A
    ///       8      4  version: 1
    ///      12      4  features: 0; a reader refuses those it does not know
    ///      16      8  k, rows of the weights (depths)
    ///      24      8  n, columns of the weights
    ///      32      8  bytes of all, this header included
    ///      40      8  XXH3-64 of all bytes from 64 on
    ///      48      8  0
    ///      56      8  XXH3-64 of bytes 0 to 55
    ///      64         steps        n/16 panels of k/4 steps of 64 bytes (divisions round up)
    ///                                 panel 0: step 0 | step 1 | ...   panel 1: step 0 | ...
    ///                                 a step: 16 columns of 4 depths each, i8
    ///                 sums         16 i32 a panel: sum b - k * zero point, wrapping
    ///                 flags        k/256 u64 a panel, a bit a step, lowest first: set where a
    ///                                 16-bit multiply-add may saturate; zeros
    ///                                 up to the next multiple of 64 bytes
    ///                 zero points  16 i32 a panel, each from -128 to 127
    /// ```
    ///
    /// Columns and depths past the last are zero in every section.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn to_bytes(&self) -> Result<Buffer<u8>, OutOfMemory> {
        let lines = self.storage.lines();
        let mut bytes = Buffer::zeroed(lines.len().saturating_add(1).saturating_mul(LINE))?;
        let (header, payload) = bytes.split_at_mut(LINE);
        payload.copy_from_slice(bytemuck::cast_slice(lines));
        little_endian(self.layout.sections_mut(bytemuck::cast_slice_mut(payload)));

        let mut put = |at: Range<usize>, value: u64| {
            let len = at.len();
            header[at].copy_from_slice(&value.to_le_bytes()[..len]);
        };
        put(VERSION_AT, VERSION.into());
        let sizes = [self.layout.k, self.layout.n, payload.len() + LINE];
        for (at, size) in SIZES_AT.into_iter().zip(sizes) {
            put(at, size as u64);
        }
        put(PAYLOAD_HASH_AT, XxHash3_64::oneshot(payload));
        header[..MAGIC.len()].copy_from_slice(&MAGIC);
        let hash = XxHash3_64::oneshot(&header[..HEADER_HASH_AT.start]);
        header[HEADER_HASH_AT].copy_from_slice(&hash.to_le_bytes());
        Ok(bytes)
    }

    /// Weights that were stored as [`PackedWeights::to_bytes`] gave them.
    ///
    /// `storage` is kept and used in place when it begins at a multiple of 64 bytes, as a memory
    /// map does; otherwise (and on a big-endian target) it is copied. It must give the same bytes
    /// every time it is asked, or a product may panic or be wrong. Weights that are a part of a
    /// larger file are given as a type of your own whose `as_ref` is that part.
    ///
    /// Everything is read once to check it.
    ///
    /// # Errors
    /// [`LoadError`] says what is wrong with the bytes.
    pub fn from_bytes(storage: Arc<dyn AsRef<[u8]> + Send + Sync>) -> Result<Self, LoadError> {
        let bytes = (*storage).as_ref();
        let layout = read_header(bytes)?;
        let payload = &bytes[LINE..];
        check_hash("payload", payload, u64_at(bytes, PAYLOAD_HASH_AT))?;
        let in_place = cfg!(target_endian = "little") && bytes.as_ptr().addr().is_multiple_of(LINE);
        let storage = if in_place {
            Storage::Shared(Arc::clone(&storage))
        } else {
            let mut lines = Buffer::zeroed(layout.lines())?;
            bytemuck::cast_slice_mut(&mut lines).copy_from_slice(payload);
            little_endian(layout.sections_mut(&mut lines));
            Storage::Packed(Arc::new(lines))
        };
        let mut weights = PackedWeights { layout, storage, shifted: true };
        let view = weights.view();
        let zero_points = view.zero_points().unwrap_or_default();
        let shifted = zero_points.as_flattened().iter().any(|&zero| zero != 0);
        dispatch(Isa::best(), Check { layout, view, zero_points }).unwrap_or(Ok(()))?;
        weights.shifted = shifted;
        Ok(weights)
    }
}

/// Numbers in memory to numbers in a file, or back: nothing on most targets.
fn little_endian(sections: Sections<'_>) {
    let numbers = sections.sums.iter_mut().chain(sections.zero_points);
    numbers.flatten().for_each(|number| *number = number.to_le());
    sections.wide.iter_mut().for_each(|word| *word = word.to_le());
}

/// The number of up to 8 bytes that stands there.
fn u64_at(bytes: &[u8], at: Range<usize>) -> u64 {
    bytes[at].iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

fn check_hash(what: &'static str, bytes: &[u8], expected: u64) -> Result<(), LoadError> {
    let given = XxHash3_64::oneshot(bytes);
    if given == expected { Ok(()) } else { Err(LoadError::Damaged { what, given, expected }) }
}

/// The sizes, once the header is known to be sound and the bytes to be as many as it says.
fn read_header(bytes: &[u8]) -> Result<Layout, LoadError> {
    let begin = &bytes[..bytes.len().min(MAGIC.len())];
    if !MAGIC.starts_with(begin) {
        return Err(LoadError::Foreign { given: begin.to_vec() });
    }
    let Some(header) = bytes.first_chunk::<LINE>() else {
        return Err(LoadError::Length { given: bytes.len(), expected: LINE });
    };
    let version = u64_at(header, VERSION_AT) as u32;
    if version != VERSION {
        return Err(LoadError::Version { given: version });
    }
    let hash = u64_at(header, HEADER_HASH_AT);
    check_hash("header", &header[..HEADER_HASH_AT.start], hash)?;
    let features = u64_at(header, FEATURES_AT) | u64_at(header, ZERO_AT);
    if features != 0 {
        return Err(LoadError::Features { given: features });
    }
    let [k, n, stated] = SIZES_AT.map(|at| u64_at(header, at));
    let sizes = usize::try_from(k).ok().zip(usize::try_from(n).ok());
    let layout = sizes.map(|(k, n)| Layout { k, n });
    // Lines that cannot be counted are too many to be addressed as well.
    let needed = |layout: Layout| layout.lines().checked_mul(LINE)?.checked_add(LINE);
    let Some((layout, expected)) = layout.and_then(|layout| Some((layout, needed(layout)?))) else {
        return Err(LoadError::Oversized { k, n });
    };
    if stated != expected as u64 {
        return Err(LoadError::Lying { given: stated, expected });
    }
    if bytes.len() != expected {
        return Err(LoadError::Length { given: bytes.len(), expected });
    }
    Ok(layout)
}

/// Derives again what stands beside the steps, and compares.
struct Check<'a> {
    layout: Layout,
    view: Weights<'a>,
    zero_points: &'a [Line],
}

impl Visitor for Check<'_> {
    type Output = Result<(), LoadError>;

    fn visit<T: Vocabulary>(self, token: T) -> Self::Output {
        if self.view.past_flags().iter().any(|&word| word != 0) {
            let panel = self.layout.panels() - 1;
            return Err(LoadError::Inconsistent { what: "flags", panel });
        }
        token.run(
            #[inline(always)]
            || (0..self.layout.panels()).try_for_each(|panel| self.panel(panel)),
        )
    }
}

impl Check<'_> {
    #[inline(always)]
    fn panel(&self, panel: usize) -> Result<(), LoadError> {
        let Layout { k, n } = self.layout;
        let wrong = |what| Err(LoadError::Inconsistent { what, panel });
        let steps = &self.view.steps()[panel * self.layout.depth()..][..self.layout.depth()];
        let mut sums = [0; PANEL];
        for (steps, &flags) in steps.chunks(WORD).zip(self.view.wide(panel)) {
            if survey(steps, &mut sums) != flags {
                return wrong("flags");
            }
        }
        let zero_points = &self.zero_points[panel];
        if zero_points.iter().any(|&zero| i8::try_from(zero).is_err()) {
            return wrong("zero points");
        }
        for c in 0..PANEL {
            sums[c] = sums[c].wrapping_sub(zero_points[c].wrapping_mul(k as i32));
        }
        if sums != self.view.sums()[panel] {
            return wrong("sums");
        }
        let columns = PANEL.min(n - panel * PANEL);
        let past_columns = steps.iter().flat_map(|step| &step[columns..]).flatten();
        let depths = k % GROUP;
        let past_depths = steps.last().filter(|_| depths > 0).into_iter().flatten();
        let mut past = past_columns.chain(past_depths.flat_map(|column| &column[depths..]));
        if past.any(|&weight| weight != 0) || zero_points[columns..].iter().any(|&zero| zero != 0) {
            return wrong("bytes past the last row or column");
        }
        Ok(())
    }
}

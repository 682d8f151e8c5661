//! How an assignment is carried out: plain data, estimated here, changed by whoever knows better.
//! A recipe decides speed only; results do not depend on it.

use super::table::tiles;
use super::{Error, Shape, bytes, prune, space};
use crate::Isa;
use crate::cache::CacheSizes;
use crate::points::BLOCK;
use core::fmt;

/// Which kernel finds the nearest centre, and how it is tiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Recipe {
    /// Which kernel.
    pub form: Form,
    /// How much of the problem stands in registers.
    pub tile: Tile,
    /// Whether centres that are too far from a whole block of points are left out, by a bound
    /// that is proven: worth it where points that stand behind each other are alike, as pixels
    /// are. Points in the lanes have it, with up to 4096 features. This is about points as they
    /// come: a fit that sorts them first tests its sorted blocks whatever is said here.
    pub bounds: bool,
    /// How many members of the team take part at most. A fit that is too small for a team has one.
    pub threads: usize,
}

/// The kernels there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Form {
    /// Points in the lanes of a register, centres broadcast to all lanes.
    Lanes,
    /// Points in the lanes, and a table over space that says which centres matter; for up to 4
    /// features and 256 centres.
    Cells,
    /// Points and centres are the sides of a matrix product; the driver is that of `gemm`.
    Tile,
    /// Points in the lanes and centres broadcast, both rounded to bytes and multiplied as such;
    /// the few centres that are too near to tell are compared in floats.
    Bytes,
}

/// What stands in registers at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Tile {
    /// Registers of points; of [`Form::Tile`], points; of [`Form::Bytes`], sixteens of them.
    pub points: usize,
    /// Centres.
    pub centres: usize,
}

/// Most features with which the first tile of the table is the better one.
const FEW: usize = 7;

/// Distances (features of a centre, times points) beyond which a second member of a team that is awake
/// is worth a region, which costs 0.2 us; so many more for each further one. 1000 x 3 with 16 centres
/// are twice as many: two members take 0.66 to 0.79 of the time of one on Zen 4, but 1.03 to 1.08 on
/// Zen 3 (`results/*/spaces/kmeans-1000-3-16.json.gz`).
const WORTH_A_MEMBER: usize = 1 << 16;

/// The same where a team is asked several times an iteration: a fit of 1000 pixels with 64 centres takes
/// 1.2 of the time on two Zen 3 cores.
pub(super) const WORTH_A_TEAM: usize = 1 << 19;

/// The same where a team would be made for a fit: that takes some 100 us on two Zen 4 cores, where 1000 x
/// 3 with 256 centres (a million) took 1.1 to 1.3 of the time by a team, 1000 x 16 with 256 (four) 0.77
/// to 0.8.
pub(super) const WORTH_A_FIT: usize = 1 << 21;

/// And where it would be made for one look at the points: 1000 x 8 with 64 centres took 5.3 times as long
/// by a team, 1000 x 128 with 64 (ten million) 1.3 to 1.4, with 256 0.8.
pub(super) const WORTH_A_CALL: usize = 1 << 24;

/// What a point costs beside its distances, as so many centres more: it is read, turned and gets
/// its label. Two Zen 3 cores make 1.2 to 1.9 of the speed of one with 2 to 8 centres (20 to 50
/// thousand points in a plane or in space, 10,000 x 16, 2,000 x 64).
const POINT: usize = 16;

/// How many members there is work for, if each should have so many distances.
pub(super) fn members(Shape { n, d, k }: Shape, each: usize) -> usize {
    let work = n.saturating_mul(k.saturating_add(POINT)).saturating_mul(d.max(4));
    work.div_ceil(each).max(1)
}

/// Whether products of bytes promise to be faster. Putting centres on the lattice takes some time
/// for each of them, which so many points repay.
fn bytes_suit(Shape { n, d, k }: Shape, isa: Isa) -> bool {
    let (least, work) = match isa {
        Isa::Avx512Vnni | Isa::AvxVnni => (96, 2048),
        // After two iterations, one Zen 3 core, 64 to 256 features: points around 256 centres 1.5 to
        // 2.1 of the speed of lanes, points drawn evenly, for which centres end up all alike, 0.73 to
        // 0.84; evenly drawn ones with 512 and more centres 1.35 to 1.54.
        Isa::Avx512 | Isa::Avx2 => (256, 8192),
        // Without vector registers nothing was measured.
        _ => return false,
    };
    // What few features leave of a block's centres is less than products of bytes would.
    let much = d >= 4 && k >= least && d.saturating_mul(k) >= work && n / 16 >= k;
    much && d <= bytes::most_features(k)
}

impl Recipe {
    /// A recipe from the shape, the instruction set and the caches; `threads` is the most that
    /// may be used.
    ///
    /// Points in the lanes win wherever they were measured with blocks that fit the second-level
    /// cache (one Zen 5 core, ms, from rows to labels):
    ///
    /// | n, d, k | lanes 4x2 | lanes 4x4 | best product tile |
    /// |---|---|---|---|
    /// | 273,280 x 3, 64 | 0.80 | 0.82 | 16.0 |
    /// | 1M x 8, 1000 | 80 | 81 | 221 |
    /// | 1M x 16, 64 | 15.5 | 15.3 | 67 |
    /// | 200k x 64, 256 | 32.3 | 30.5 | 47 |
    /// | 100k x 128, 1024 | 116 | 107 | 123 |
    /// | 3,906 x 4096, 128 | | 27.1 | 26.8 |
    ///
    /// And on Zen 3, with half as many registers of half the width (one core; two for d = 8):
    ///
    /// | n, d, k | lanes 2x2 | 4x1 | 2x4 | 2x6 |
    /// |---|---|---|---|---|
    /// | 273,280 x 3, 64 | 3.65 | 3.98 | 4.01 | 4.82 |
    /// | 100k x 8, 1000 | 41.7 | 32.5 | 25.8 | 22.4 |
    /// | 20k x 128, 1024 | 218 | 153 | 90.8 | 72.4 |
    ///
    /// With few features and some centres a table over space wins, whether near points stand together
    /// or not. So many times as fast as lanes (one Zen 4 core):
    ///
    /// | k | line | photograph, d = 3 | square | cube | d = 4 |
    /// |---|---|---|---|---|---|
    /// | 10, 16 | 0.9 | 0.8 | 0.6 | 0.7 | 0.75 |
    /// | 64 | 1.3 | 1.5 | 1.5 | 1.35 | 0.9 |
    /// | 256 | 1.45 | 1.7 | 2.4 | 2.0 | 1.1 |
    ///
    /// Where there are many centres, products of bytes win by more than rounding to bytes and telling
    /// apart what is near costs. So many times as fast as lanes (one Zen 4 core, points drawn evenly
    /// from a cube; where all points differ in one feature of many alone, bytes are in vain and take
    /// 1.05 of the time):
    ///
    /// | d, k | products of bytes | pairs, 512 bits | pairs, 256 bits |
    /// |---|---|---|---|
    /// | 4, 1000 | 1.4 | | |
    /// | 8, 256 | 1.2 | | |
    /// | 8, 1000 | 1.8 | 1.15 | 1.1 |
    /// | 16, 64 | 0.75 | | |
    /// | 16, 256 | 1.6 | | |
    /// | 32, 64 | 0.97 | | |
    /// | 32, 256 | 1.85 | 1.14 | 1.2 |
    /// | 64, 64 | 1.1 | | |
    /// | 64, 256 | 2.1 | 1.3 | 1.3 |
    /// | 128, 16 | 0.65 | | |
    /// | 128, 1024 | 3.1 | 1.7 | 1.6 |
    /// | 256, 256 | 2.0 | | |
    /// | 784, 100 | 1.4 | | |
    pub fn estimate(shape: Shape, isa: Isa, caches: &CacheSizes, threads: usize) -> Self {
        let threads = threads.min(members(shape, WORTH_A_MEMBER)).max(1);
        // A block of points is read again for every few centres, and must be near.
        let block = shape.d.saturating_mul(BLOCK * size_of::<f32>());
        let form = if bytes_suit(shape, isa) {
            Form::Bytes
        } else if space::suits(shape, threads) {
            Form::Cells
        } else if block <= caches.l2 {
            Form::Lanes
        } else {
            Form::Tile
        };
        let tile = match (form, tiles(form, isa)) {
            (Form::Lanes, [.., many]) if shape.d > FEW => *many,
            (_, offered) => offered[0],
        };
        let bounds = form == Form::Lanes && prune::suits(shape.k, shape.d);
        Recipe { form, tile, bounds, threads }
    }

    /// Whether problems of that shape can be solved in that form, and tested for centres to leave
    /// out if that is asked for.
    pub(super) fn check(&self, shape: Shape) -> Result<(), Error> {
        let Recipe { form, bounds, .. } = *self;
        let Shape { d, k, .. } = shape;
        let limits: &[_] = match form {
            Form::Bytes => &[("for products of bytes, d", d, bytes::most_features(k))],
            Form::Cells => &[
                ("for a table over space, d", d, space::MOST_FEATURES),
                ("for a table over space, k", k, space::MOST_CENTRES),
            ],
            Form::Lanes | Form::Tile => &[],
        };
        if let Some(&(what, value, most)) = limits.iter().find(|(_, value, most)| value > most) {
            return Err(Error::TooLarge { what, value, most });
        }
        let (d, most) = (shape.d, prune::MOST_FEATURES);
        match bounds && (form != Form::Lanes || d > most) {
            true => Err(Error::Bounds { form, d, most }),
            false => Ok(()),
        }
    }
}

impl Form {
    /// All of them.
    pub const ALL: [Form; 4] = [Form::Lanes, Form::Cells, Form::Tile, Form::Bytes];
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Form::Lanes => "lanes",
            Form::Cells => "cells",
            Form::Tile => "tile",
            Form::Bytes => "bytes",
        })
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.points, self.centres)
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = if self.threads == 1 { "" } else { "s" };
        let bounds = if self.bounds { ", bounds" } else { "" };
        write!(f, "{} {}{bounds}, {} thread{s}", self.form, self.tile, self.threads)
    }
}

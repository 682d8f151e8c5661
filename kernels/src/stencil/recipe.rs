//! How a sweep is cut into tiles: plain data, estimated from cache sizes, tuned, or written by
//! hand. No value of it changes a result.

use super::estimate::width;
use super::overlap::DEEPEST;
use super::{Error, Extent, Form, Kind};
use crate::isa::{Isa, MissingIsa};
use core::fmt;

/// How a plan sweeps its grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Recipe {
    /// How a grid is gone through.
    #[cfg_attr(feature = "serde", serde(default))]
    pub scheme: Scheme,
    /// Steps at a time where the scheme fuses them, at most 32.
    #[cfg_attr(feature = "serde", serde(default = "one"))]
    pub depth: usize,
    /// Rows of a plane in a tile. A tile marches through the planes, and if three planes of it
    /// stay in the second-level cache (the *layer condition*) every point is read from memory
    /// once.
    pub tile_rows: usize,
    /// Points along x in a tile of a scheme that fuses steps; others never cut rows, for long
    /// runs are what memory likes. A periodic axis is not cut either.
    #[cfg_attr(feature = "serde", serde(default = "one"))]
    pub tile_points: usize,
    /// Which rows are updated in one go.
    pub side_by_side: SideBySide,
    /// How much of the registers is used.
    #[cfg_attr(feature = "serde", serde(default))]
    pub registers: Registers,
    /// How many bytes ahead of use a point is asked for from memory, and once more, at most 1280 ahead,
    /// into the first-level cache; 0: not at all.
    pub prefetch: usize,
    /// Whether stores go past the caches, which saves reading every line before it is written.
    pub streaming: bool,
    /// How many members of the team take part at most.
    pub threads: usize,
}

/// What a recipe that was stored before steps could be fused has in the fields it lacks.
#[cfg(feature = "serde")]
fn one() -> usize {
    1
}

/// How a grid is gone through. The results are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Scheme {
    /// One step at a time, plane by plane.
    Plain,
    /// One step at a time, in tiles whose planes stay in cache.
    #[default]
    Spatial,
    /// Several steps at a time, in tiles that overlap, each of which is one member's own.
    Overlapped,
    /// Several steps at a time, in tiles that lean over each other and are stepped by all members
    /// together, in place.
    Skewed,
}

impl Scheme {
    /// Every scheme there is.
    pub const ALL: [Scheme; 4] =
        [Scheme::Plain, Scheme::Spatial, Scheme::Overlapped, Scheme::Skewed];

    /// The name used on the command line, in wisdom and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Scheme::Plain => "plain",
            Scheme::Spatial => "spatial",
            Scheme::Overlapped => "overlapped",
            Scheme::Skewed => "skewed",
        }
    }

    /// Whether it takes several steps at a time.
    pub const fn fuses(self) -> bool {
        matches!(self, Scheme::Overlapped | Scheme::Skewed)
    }

    /// Whether a stencil can be stepped by it. Any can, but those that take the value of one step
    /// before ([`Form::levels`]) not in overlapped tiles: the two steps they keep stand in the two
    /// buffers, and such tiles would need those twice.
    ///
    /// ```
    /// use tilewise::stencil::{Kind, Scheme};
    /// assert!(Scheme::ALL.into_iter().all(|scheme| scheme.suits(Kind::Heat7)));
    /// let of_waves = Scheme::ALL.into_iter().filter(|scheme| scheme.suits(Kind::Wave7));
    /// assert!(of_waves.eq([Scheme::Plain, Scheme::Spatial, Scheme::Skewed]));
    /// ```
    pub fn suits(self, form: impl Into<Form>) -> bool {
        let form: Form = form.into();
        self != Scheme::Overlapped || !form.keeps_two()
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Rows that are updated in one go and share what they load.
///
/// In memory, two rows make 4.6 GLUP/s on one core of a virtual Zen 5 where one row makes 4.4 and
/// two planes 4.4 (512x512x512 `f32`; 1.9, 1.6 and 1.8 with `f64`, 400 points an axis); on two cores
/// all three are within the noise. Four rows were tried and are not here: 0.7 of the speed of one
/// row on 512x512 in cache, 0.95 in memory. Zen 3 is another matter: see the estimate of recipes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum SideBySide {
    /// One row.
    One,
    /// Two rows of a plane.
    TwoRows,
    /// The same row of two planes (in space only).
    TwoPlanes,
}

impl SideBySide {
    /// Every choice there is for a kind of stencil.
    pub const fn choices(kind: Kind) -> &'static [SideBySide] {
        const ALL: &[SideBySide] = &[SideBySide::One, SideBySide::TwoRows, SideBySide::TwoPlanes];
        match kind {
            Kind::Heat5 | Kind::Heat9 => ALL.split_at(2).0,
            Kind::Heat7 => ALL,
            // A line has one row; the others' rows fill the registers as they are.
            _ => ALL.split_at(1).0,
        }
    }

    /// This choice if the stencil has it, or else one row.
    pub(super) fn preferred(self, form: Form) -> Self {
        if form.side_by_side.contains(&self) { self } else { SideBySide::One }
    }

    /// The name used in wisdom and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            SideBySide::One => "one",
            SideBySide::TwoRows => "two-rows",
            SideBySide::TwoPlanes => "two-planes",
        }
    }
}

impl fmt::Display for SideBySide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How wide the registers are that a sweep works in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Registers {
    /// As wide as the instruction set has them.
    #[default]
    Whole,
    /// Half as wide, where the instruction set is [one with halves](Isa::halved).
    Half,
}

impl Registers {
    /// Every choice there is on an instruction set.
    pub const fn choices(isa: Isa) -> &'static [Registers] {
        match isa.halved() {
            Some(_) => &[Registers::Whole, Registers::Half],
            None => &[Registers::Whole],
        }
    }

    /// The instruction set whose code works in such registers.
    pub(super) fn code(self, isa: Isa) -> Result<Isa, Error> {
        if !isa.is_available() {
            return Err(Error::MissingIsa(MissingIsa(isa)));
        }
        match self {
            Registers::Whole => Ok(isa),
            Registers::Half => isa.halved().ok_or(Error::Registers { isa }),
        }
    }
}

impl Recipe {
    /// The same sweep by a recipe without what it does not feel: what its scheme does not look at, for
    /// such a stencil on such a grid and instruction set, is as an estimate has it. Those who try
    /// recipes or show them need no two that differ in nothing else.
    ///
    /// ```
    /// use tilewise::cache::CacheSizes;
    /// use tilewise::stencil::{Extent, Kind, Recipe, Scheme};
    /// let (kind, extent, isa) = (Kind::Wave25, Extent::space(300, 200, 100), tilewise::Isa::best());
    /// let mut recipe = Recipe::estimate::<f32>(kind, extent, isa, &CacheSizes::ASSUMED, 1);
    /// (recipe.scheme, recipe.depth) = (Scheme::Skewed, 4);
    /// // Tiles that lean cut no rows, and are stepped in place.
    /// let mut other = recipe;
    /// (other.tile_points, other.streaming) = (64, true);
    /// let canonical = |recipe: Recipe| recipe.canonical(kind, extent, isa);
    /// assert_eq!(canonical(recipe), canonical(other));
    /// ```
    pub fn canonical(self, form: impl Into<Form>, extent: Extent, isa: Isa) -> Self {
        let form: Form = form.into();
        let overlapped = self.scheme == Scheme::Overlapped;
        let in_place = form.keeps_two() || self.scheme == Scheme::Skewed;
        // A slice of a plane is one row, and a tile that leans steps so many slices in a front.
        let cuts_rows = match self.scheme {
            Scheme::Plain => false,
            Scheme::Skewed => form.dimensions > 1,
            Scheme::Spatial | Scheme::Overlapped => form.dimensions > 2,
        };
        let all_rows = extent.y.saturating_sub(2 * form.radius).max(1);
        let tile_rows = match self.scheme {
            _ if cuts_rows => self.tile_rows.min(extent.y),
            Scheme::Plain | Scheme::Spatial => all_rows,
            Scheme::Overlapped | Scheme::Skewed => 1,
        };
        Recipe {
            depth: if self.scheme.fuses() { self.depth } else { 1 },
            tile_rows,
            tile_points: if overlapped { self.tile_points.min(extent.x) } else { extent.x },
            streaming: self.streaming && !in_place && width(isa).streams,
            ..self
        }
    }

    pub(super) fn check(&self, form: Form) -> Result<(), Error> {
        let Recipe { depth, tile_rows, tile_points, threads, .. } = *self;
        let fields = [("tile_rows", tile_rows), ("tile_points", tile_points)];
        for (field, value) in fields.into_iter().chain([("depth", depth), ("threads", threads)]) {
            if value == 0 {
                return Err(Error::RecipeZero { field });
            }
        }
        if depth > DEEPEST {
            return Err(Error::Depth { given: depth, most: DEEPEST });
        }
        if !self.scheme.suits(form) {
            return Err(Error::Scheme { stencil: form.name });
        }
        let (given, choices) = (self.side_by_side, form.side_by_side);
        match choices.contains(&given) {
            true => Ok(()),
            false => Err(Error::SideBySide { stencil: form.name, given, choices }),
        }
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Recipe { scheme, depth, tile_rows, tile_points, side_by_side, .. } = self;
        let Recipe { prefetch, threads, .. } = self;
        let stores = if self.streaming { "streaming" } else { "ordinary" };
        match scheme {
            Scheme::Plain => write!(f, "whole planes")?,
            Scheme::Spatial => write!(f, "tiles of {tile_rows} rows")?,
            Scheme::Overlapped => write!(
                f,
                "{depth} steps at a time in overlapped tiles of {tile_points}x{tile_rows}"
            )?,
            Scheme::Skewed => {
                write!(f, "{depth} steps at a time in skewed tiles of {tile_rows} rows")?
            }
        }
        if self.registers == Registers::Half {
            write!(f, ", half registers")?;
        }
        write!(f, " ({side_by_side})")?;
        if *scheme != Scheme::Skewed {
            // Those are stepped in place.
            write!(f, ", {stores} stores")?;
        }
        write!(f, ", prefetch {prefetch} B, threads {threads}")
    }
}

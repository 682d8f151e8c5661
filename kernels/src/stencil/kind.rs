//! The ready-made stencils by name: dimensions, radius, shape, and the largest stable step.

use super::SideBySide;
use super::formula::{Form, Shape};
use super::heat::{Compact, Heat, Weights, compact, weight};
use super::react::GrayScott;
use super::wave::Wave;
use core::fmt;
use core::str::FromStr;

/// A stencil by name.
///
/// # Formulas
///
/// `u` is the value of a point, `u'` its next one, `c` the
/// [coefficient](super::Stencil::coefficient). Left and right are neighbours along x, front and
/// behind along y, below and above along z, the one with the smaller index first. Products and
/// sums are made in the order written here, each rounded on its own; `c`, the weights and `d w_0`
/// are constants, rounded to the numbers of the grid.
///
/// Stars look along the axes, `R` points far, in `d` dimensions:
///
/// ```text
/// s_k = left + right                                              neighbours k away, on a line
/// s_k = (left + right) + (front + behind)                                           in a plane
/// s_k = ((left + right) + (front + behind)) + (below + above)                         in space
/// L   = (w_1 * s_1 + w_2 * s_2 + ...) - (d w_0) * u
///
/// u'  = u + c * L                                                                         heat
/// u'  = (2 * u - u_before) + (c * m) * L                                                 waves
/// ```
///
/// Their weights are those of the central second difference of order `2 R` (Fornberg 1988,
/// Mathematics of Computation 51): `w_k = 2 (-1)^(k+1) R!^2 / (k^2 (R-k)! (R+k)!)` and
/// `w_0 = 2 (w_1 + w_2 + ...)`. The two neighbours on an axis are added first, so that a mirrored
/// field has mirrored bits. Of waves, `u_before` is the value one step before and `m` the medium
/// at the point ([`Grid::set_media`](super::Grid::set_media), or else 1).
///
/// Compact ones look at the square or cube around a point, and the leading term of their error is
/// the same in all directions (Patra and Karttunen 2006, Numerical Methods for Partial Differential Equations 22):
///
/// ```text
/// square  = (left front + right front) + (left behind + right behind)    of x and y; others alike
/// faces   = s_1
/// edges   = square                                                                     in a plane
/// edges   = (square of x and y + square of x and z) + square of y and z                  in space
/// corners = square of x and y below + square of x and y above
/// L       = (w_1 * faces + w_2 * edges) - w_0 * u                                      in a plane
/// L       = ((w_1 * faces + w_2 * edges) + w_3 * corners) - w_0 * u                      in space
///
/// u'      = u + c * L
/// ```
///
/// Who wants fused multiply-adds, which are fewer operations and other bits, declares the stencil
/// by its weights: `Fused(PairedStar { .. })`, as in the example of [`Fused`](super::Fused).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Kind {
    /// Heat on a line: a point and its two neighbours. A star with `w_1 = 1` and `w_0 = 2`. A line is
    /// one row, which one thread steps.
    Heat3,
    /// Heat in two dimensions: a point and its four neighbours. A star with `w_1 = 1` and
    /// `w_0 = 2`.
    Heat5,
    /// Heat in two dimensions: the square around a point; the leading error is alike in all directions.
    /// Compact, with `w_1 = 2/3`, `w_2 = 1/6` and `w_0 = 10/3`.
    Heat9,
    /// Heat in three dimensions: a point and its six neighbours. A star with `w_1 = 1` and
    /// `w_0 = 2`.
    Heat7,
    /// Heat in three dimensions with the Laplacian of order 4: two neighbours each way. A star with
    /// `w_1 = 4/3`, `w_2 = -1/12` and `w_0 = 5/2`.
    Heat13,
    /// Heat in three dimensions with the Laplacian of order 8: four neighbours each way. A star with
    /// `w_1 = 8/5`, `w_2 = -1/5`, `w_3 = 8/315`, `w_4 = -1/560` and `w_0 = 205/72`.
    Heat25,
    /// Heat in three dimensions: the cube around a point; the leading error is alike in all directions.
    /// Compact, with `w_1 = 7/15`, `w_2 = 1/10`, `w_3 = 1/30` and `w_0 = 64/15`.
    Heat27,
    /// The acoustic wave in space, of order 2 in space and time: the star of [`Kind::Heat7`].
    Wave7,
    /// The acoustic wave in space, of order 4 in space and 2 in time: the star of [`Kind::Heat13`].
    Wave13,
    /// The acoustic wave in space, of order 8 in space and 2 in time: the star of [`Kind::Heat25`].
    Wave25,
    /// Two substances that react and spread on a plane, by the formula of
    /// [`GrayScott`](super::GrayScott) with the feed 0.0545 and the kill 0.062; the first spreads
    /// by `c`, the second half as fast.
    GrayScott,
}

impl Kind {
    /// Every kind there is.
    pub const ALL: [Kind; 11] = [
        Kind::Heat3,
        Kind::Heat5,
        Kind::Heat9,
        Kind::Heat7,
        Kind::Heat13,
        Kind::Heat25,
        Kind::Heat27,
        Kind::Wave7,
        Kind::Wave13,
        Kind::Wave25,
        Kind::GrayScott,
    ];

    /// The name used on the command line, in wisdom and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Heat3 => "heat3",
            Kind::Heat5 => "heat5",
            Kind::Heat9 => "heat9",
            Kind::Heat7 => "heat7",
            Kind::Heat13 => "heat13",
            Kind::Heat25 => "heat25",
            Kind::Heat27 => "heat27",
            Kind::Wave7 => "wave7",
            Kind::Wave13 => "wave13",
            Kind::Wave25 => "wave25",
            Kind::GrayScott => "gray-scott",
        }
    }

    /// Neighbours, radius, dimensions, fields and media.
    pub const fn form(self) -> Form {
        let form = match self {
            Kind::Heat3 => Form::of::<f64, Heat<f64, 1, 1>>(),
            Kind::Heat5 => Form::of::<f64, Heat<f64, 2, 1>>(),
            Kind::Heat9 => Form::of::<f64, Compact<f64, 2>>(),
            Kind::Heat7 => Form::of::<f64, Heat<f64, 3, 1>>(),
            Kind::Heat13 => Form::of::<f64, Heat<f64, 3, 2>>(),
            Kind::Heat25 => Form::of::<f64, Heat<f64, 3, 4>>(),
            Kind::Heat27 => Form::of::<f64, Compact<f64, 3>>(),
            Kind::Wave7 => Form::of::<f64, Wave<f64, 1>>(),
            Kind::Wave13 => Form::of::<f64, Wave<f64, 2>>(),
            Kind::Wave25 => Form::of::<f64, Wave<f64, 4>>(),
            Kind::GrayScott => Form::of::<f64, GrayScott<f64>>(),
        };
        Form { name: self.name(), side_by_side: SideBySide::choices(self), ..form }
    }

    /// One, two or three.
    pub const fn dimensions(self) -> usize {
        self.form().dimensions
    }

    /// How far it looks along an axis, and so how wide a fixed rim is.
    pub const fn radius(self) -> usize {
        self.form().radius
    }

    /// Whether it looks along the axes only, or at the whole square or cube around a point.
    pub const fn shape(self) -> Shape {
        self.form().shape
    }

    /// Additions, subtractions and products of an update.
    pub const fn operations(self) -> usize {
        // Sums of each kind of neighbour, their products with weights and the sums of those; then
        // the centre's product, a difference, the coefficient's product and a sum.
        match self {
            Kind::Heat9 => (3 + 3) + 2 + 1 + 4,
            Kind::Heat27 => (5 + 11 + 7) + 3 + 2 + 4,
            // Two Laplacians of four operations and a product less, the reaction, what is fed and
            // what is taken away.
            Kind::GrayScott => 2 * (3 + 2 + 1) + 2 + 5 + 4,
            // Twice the point less the one before, and the medium instead of the heat's last sum.
            Kind::Wave7 | Kind::Wave13 | Kind::Wave25 => self.star_operations() + 3,
            _ => self.star_operations(),
        }
    }

    /// Those of a heat step with a star.
    const fn star_operations(self) -> usize {
        let (axes, radius) = (self.dimensions(), self.radius());
        let weights = if radius > 1 { radius } else { 0 };
        (2 * axes - 1) * radius + weights + (radius - 1) + 4
    }

    /// The largest coefficient with which nothing grows (von Neumann): 2 over the largest
    /// eigenvalue of the Laplacian, which is that of a wave that changes sign from point to point
    /// along some of the axes; `1 / (2 d)` for a star of radius 1. Second order in time allows 4
    /// over it, where the medium is 1. Of [`Kind::GrayScott`] it is that of diffusion alone: what is
    /// fed, taken away and made by the reaction is not in it.
    pub fn stability_limit(self) -> f64 {
        let waves = (0..1 << self.dimensions()).map(|axes: usize| {
            [0, 1, 2].map(|axis| if axes >> axis & 1 == 1 { -1.0 } else { 1.0 })
        });
        let most = if self.form().levels > 1 { 4.0 } else { 2.0 };
        -most / waves.map(|signs| self.eigenvalue(signs)).fold(0.0, f64::min)
    }

    /// The eigenvalue of the Laplacian, between points one apart, for the wave that keeps (1) or
    /// changes (-1) its sign from one point to the next along each axis.
    fn eigenvalue(self, signs: [f64; 3]) -> f64 {
        let [x, y, z] = signs;
        let axes = &signs[..self.dimensions()];
        let (faces, edges, corners) = match self {
            Kind::Heat9 => (2.0 * (x + y), 4.0 * x * y, 0.0),
            Kind::Heat27 => (2.0 * (x + y + z), 4.0 * (x * y + x * z + y * z), 8.0 * x * y * z),
            _ => {
                let sign = |axis: f64, k: usize| if k % 2 == 1 { axis } else { 1.0 };
                let pair = |axis, k| 2.0 * weight(self.radius(), k) * (sign(axis, k) - 1.0);
                let along = |&axis: &f64| (1..=self.radius()).map(|k| pair(axis, k)).sum::<f64>();
                return axes.iter().map(along).sum();
            }
        };
        let Weights { near: [face, edge, corner], centre } = compact(self.dimensions());
        face * faces + edge * edges + corner * corners - centre
    }
}

impl From<Kind> for Form {
    fn from(kind: Kind) -> Form {
        kind.form()
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Kind::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| UnknownKind(name.into()))
    }
}

/// A name that is no stencil of tilewise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown stencil {0:?}; expected one of {names}", names = Names)]
pub struct UnknownKind(pub alloc::string::String);

/// All names in a row.
struct Names;

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            write!(f, "{}{kind}", if index > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

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
/// Its products and sums are each rounded on their own, as in the plain loop. Who wants fused
/// multiply-adds, which are fewer operations and other bits, declares the stencil by its weights:
/// `Fused(PairedStar { .. })`, as in the example of [`Fused`](super::Fused).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Kind {
    /// Heat on a line: a point and its two neighbours.
    Heat3,
    /// Heat in two dimensions: a point and its four neighbours.
    Heat5,
    /// Heat in two dimensions: the square around a point, with errors alike in all directions.
    Heat9,
    /// Heat in three dimensions: a point and its six neighbours.
    Heat7,
    /// Heat in three dimensions with the Laplacian of order 4: two neighbours each way.
    Heat13,
    /// Heat in three dimensions with the Laplacian of order 8: four neighbours each way.
    Heat25,
    /// Heat in three dimensions: the cube around a point, with errors alike in all directions.
    Heat27,
    /// The acoustic wave in space, of order 2 in space and time.
    Wave7,
    /// The acoustic wave in space, of order 4 in space.
    Wave13,
    /// The acoustic wave in space, of order 8 in space.
    Wave25,
    /// Two substances that react and spread on a plane: [`GrayScott`](super::GrayScott) with the
    /// feed 0.0545, the kill 0.062, and the second substance spreading half as fast as the first.
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
    /// over it, where the medium is 1.
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

//! What stands outside the grid.

/// What a stencil finds where it looks past the end of an axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Boundary {
    /// Nothing: the outermost points, as many as the stencil's radius, are a rim that keeps its
    /// values (Dirichlet).
    #[default]
    Fixed,
    /// The grid mirrored in the wall half a point past its last one, so that nothing flows
    /// through (Neumann). All points are updated.
    Mirror,
    /// The other end of the grid. All points are updated.
    Periodic,
}

impl Boundary {
    /// Every boundary there is.
    pub const ALL: [Boundary; 3] = [Boundary::Fixed, Boundary::Mirror, Boundary::Periodic];

    /// The name it is displayed by.
    pub const fn name(self) -> &'static str {
        match self {
            Boundary::Fixed => "fixed",
            Boundary::Mirror => "mirror",
            Boundary::Periodic => "periodic",
        }
    }

    /// The point of an axis of `points` that stands for place `at`, which may lie outside by up
    /// to `points` (periodic: anywhere).
    ///
    /// # Panics
    /// For a place outside a fixed axis, or too far outside a mirror.
    #[inline]
    pub fn find(self, at: isize, points: usize) -> usize {
        let points = points as isize;
        let found = match self {
            Boundary::Periodic => at.rem_euclid(points),
            Boundary::Mirror if at < 0 => -1 - at,
            Boundary::Mirror if at >= points => 2 * points - 1 - at,
            _ => at,
        };
        assert!((0..points).contains(&found), "place {at} of an axis of {points}, {self:?}");
        found as usize
    }

    /// The fewest points an axis must have for a stencil that looks `radius` far.
    pub(super) fn least(self, radius: usize) -> usize {
        match self {
            Boundary::Fixed => 2 * radius + 1,
            Boundary::Mirror => radius.max(1),
            Boundary::Periodic => 1,
        }
    }

    /// The points that are updated, of an axis of `points`, by a stencil that looks `radius` far.
    pub(super) fn updated(self, points: usize, radius: usize) -> core::ops::Range<usize> {
        match self {
            Boundary::Fixed => radius..points.saturating_sub(radius).max(radius),
            _ => 0..points,
        }
    }
}

impl core::fmt::Display for Boundary {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.name())
    }
}

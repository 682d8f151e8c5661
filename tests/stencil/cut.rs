//! Recipes that cut small grids, for formulas of one's own and what they have in common with others.

use tilewise::stencil::{Extent, Form, Recipe, Scheme};
use tilewise::vector::Real;
use tilewise::{Isa, Team, cache::CacheSizes};

/// The schemes that a formula has.
pub(crate) fn schemes(form: Form) -> impl Iterator<Item = Scheme> {
    Scheme::ALL.into_iter().filter(move |scheme| scheme.suits(form))
}

/// Tiles that cut what can be cut, three steps at a time where there are several.
pub(crate) fn cut<T: Real>(
    form: Form,
    extent: Extent,
    isa: Isa,
    scheme: Scheme,
    team: &dyn Team,
) -> Recipe {
    let mut recipe = Recipe::estimate::<T>(form, extent, isa, &CacheSizes::ASSUMED, team.size());
    (recipe.scheme, recipe.depth) = (scheme, 3);
    (recipe.tile_rows, recipe.tile_points) = (5, 16);
    recipe
}

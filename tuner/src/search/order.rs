//! Which point is tried next.

use super::tried::Tried;
use crate::space::Space;

/// How a search goes through a space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// The seeds, then whatever is nearest to the best so far; every third point is drawn blindly,
    /// which leads out of dead ends and tells what there may be left.
    #[default]
    Seeded,
    /// Every point by rank, and no end before the last.
    Exhaustive,
    /// In an order that knows nothing: what others are compared with.
    Random(u64),
    /// From a random point to a better neighbour until there is none, then from another: likewise.
    Climb(u64),
}

/// One point in so many is drawn blindly.
const BLIND: usize = 3;

/// The order of a search under way.
pub(super) struct Order {
    strategy: Strategy,
    /// All points but the default, in blind order.
    shuffled: Vec<usize>,
    /// Where the present climb stands.
    foot: Option<usize>,
    chosen: usize,
}

/// A point, and whether it was drawn without regard to what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pick {
    pub(super) point: usize,
    pub(super) blind: bool,
}

impl Order {
    pub(super) fn new<R: Copy + PartialEq>(strategy: Strategy, space: &Space<R>) -> Order {
        let seed = match strategy {
            Strategy::Random(seed) | Strategy::Climb(seed) => seed,
            _ => 0,
        };
        Order { strategy, shuffled: space.shuffled(seed), foot: None, chosen: 0 }
    }

    /// The next point to try; `None` when all have been.
    pub(super) fn next<R: Copy + PartialEq>(
        &mut self,
        space: &Space<R>,
        tried: &Tried,
    ) -> Option<Pick> {
        let blind = self.shuffled.iter().copied().find(|&point| !tried.knows(point))?;
        self.chosen += 1;
        let known = |point| Some(Pick { point, blind: false });
        match self.strategy {
            Strategy::Random(_) => Some(Pick { point: blind, blind: true }),
            Strategy::Exhaustive => known((1..space.len()).find(|&point| !tried.knows(point))?),
            Strategy::Climb(_) => Some(self.climb(space, tried, blind)),
            Strategy::Seeded => {
                let seed = (1..=space.seeds()).find(|&point| !tried.knows(point));
                match seed {
                    Some(seed) => known(seed),
                    None if self.chosen.is_multiple_of(BLIND) => {
                        Some(Pick { point: blind, blind: true })
                    }
                    None => known(nearest(space, tried, tried.best())?),
                }
            }
        }
    }

    /// An untried neighbour of the foot, which moves to whatever is better; a blind point where
    /// there is none.
    fn climb<R: Copy + PartialEq>(
        &mut self,
        space: &Space<R>,
        tried: &Tried,
        blind: usize,
    ) -> Pick {
        let beside = |foot: usize, point: usize| space.distance(foot, point).0 == 1;
        while let Some(foot) = self.foot {
            let own = tried.ratio(foot).unwrap_or(0.0);
            let neighbours = self.shuffled.iter().copied().filter(|&point| beside(foot, point));
            let better = neighbours.clone().find(|&p| tried.ratio(p).is_some_and(|r| r > own));
            if better.is_some() {
                self.foot = better;
                continue;
            }
            match neighbours.into_iter().find(|&point| !tried.knows(point)) {
                Some(point) => return Pick { point, blind: false },
                None => self.foot = None,
            }
        }
        self.foot = Some(blind);
        Pick { point: blind, blind: true }
    }
}

/// The untried point that differs least from `best`; of equals the one ranked first.
fn nearest<R: Copy + PartialEq>(space: &Space<R>, tried: &Tried, best: usize) -> Option<usize> {
    let untried = (1..space.len()).filter(|&point| !tried.knows(point));
    untried.min_by_key(|&point| space.distance(best, point))
}

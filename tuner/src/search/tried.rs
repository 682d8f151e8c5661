//! What a search knows of the points so far.

/// What became of each point.
#[derive(Clone, Debug)]
pub(super) struct Tried {
    outcomes: Vec<Option<Outcome>>,
    /// The points that were timed, in that order; the default first.
    timed: Vec<usize>,
    /// Points that are left for last.
    deferred: Vec<usize>,
    /// Ratios of those that were drawn blindly.
    pub(super) blind: Vec<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    /// Timed: how many times as fast as the default.
    Ratio(f64),
    Rejected,
}

impl Tried {
    /// Of so many points nothing but that the default is as fast as the default.
    pub(super) fn new(points: usize) -> Tried {
        let mut tried = Tried {
            outcomes: vec![None; points],
            timed: vec![0],
            deferred: Vec::new(),
            blind: Vec::new(),
        };
        tried.outcomes[0] = Some(Outcome::Ratio(1.0));
        tried
    }

    /// Whether there is nothing left to find out about a point, or not yet.
    pub(super) fn knows(&self, point: usize) -> bool {
        self.outcomes[point].is_some() || self.deferred.contains(&point)
    }

    /// Leaves a point for last.
    pub(super) fn defer(&mut self, point: usize) {
        self.deferred.push(point);
    }

    /// Nothing else is left: the turn of those that were deferred. Whether there are any.
    pub(super) fn recall(&mut self) -> bool {
        !std::mem::take(&mut self.deferred).is_empty()
    }

    pub(super) fn ratio(&self, point: usize) -> Option<f64> {
        match self.outcomes[point] {
            Some(Outcome::Ratio(ratio)) => Some(ratio),
            _ => None,
        }
    }

    /// A point was timed, for the first time or again.
    pub(super) fn time(&mut self, point: usize, ratio: f64) {
        if self.outcomes[point].is_none() {
            self.timed.push(point);
        }
        self.outcomes[point] = Some(Outcome::Ratio(ratio));
    }

    pub(super) fn reject(&mut self, point: usize) {
        self.outcomes[point] = Some(Outcome::Rejected);
        self.timed.retain(|&timed| timed != point);
    }

    /// Points that were timed, in that order.
    pub(super) fn timed(&self) -> &[usize] {
        &self.timed
    }

    /// Points of which nothing is known.
    pub(super) fn left(&self) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.is_none()).count()
    }

    /// The fastest of the timed; of equals the one ranked first.
    pub(super) fn best(&self) -> usize {
        let better = |best: usize, point: usize| {
            let (most, own) = (self.ratio(best), self.ratio(point));
            if own > most || (own == most && point < best) { point } else { best }
        };
        self.timed.iter().copied().fold(0, better)
    }

    /// The timed, fastest first; of equals the one ranked first.
    pub(super) fn ranking(&self) -> Vec<usize> {
        let mut order = self.timed.clone();
        let ratio = |point: usize| self.ratio(point).unwrap_or(0.0);
        order.sort_by(|&a, &b| ratio(b).total_cmp(&ratio(a)).then(a.cmp(&b)));
        order
    }
}

//! What a sample is made of: what the point takes, the machine's weather at the time, and the rest.
//!
//! A neighbour on the same machine slows whatever runs for seconds. Points that are measured one
//! after the other meet the same weather, so it is known from how far all of them are off, and a
//! point is judged by what is left without it.

use super::{Recording, Sweep};
use crate::measure::stats;

/// Samples that make up one moment of weather.
const MOMENT: usize = 16;

/// A recording taken apart.
pub(super) struct Weather {
    /// What a call of each point takes, in seconds, whatever the weather.
    pub(super) truth: Vec<f64>,
    /// By what each sample of each point is off, weather aside, round by round.
    pub(super) rests: Vec<Vec<f64>>,
    /// When each moment ended, and how slow the machine was in it.
    pub(super) moments: Vec<(f64, f64)>,
}

impl Weather {
    /// Of a recording that was checked.
    pub(super) fn of(recording: &Recording) -> Weather {
        let points = recording.points.len();
        let median = |samples: Vec<f64>| stats::median(&samples).expect("rounds were counted");
        let raw: Vec<f64> = (0..points).map(|point| median(recording.seconds(point))).collect();
        // Medians over all rounds do well enough to say what the weather was, and with that known
        // they can be done better.
        let Weather { truth, rests, .. } = Weather::beside(recording, raw);
        let better = truth.into_iter().zip(rests);
        Weather::beside(recording, better.map(|(truth, rests)| truth * median(rests)).collect())
    }

    /// What is left if `truth` is what the points take.
    fn beside(recording: &Recording, truth: Vec<f64>) -> Weather {
        let mut rests = vec![Vec::new(); truth.len()];
        let mut moments = Vec::new();
        let mut time = 0.0;
        for Sweep { order, nanoseconds } in &recording.rounds {
            let samples: Vec<(usize, f64)> =
                order.iter().copied().zip(nanoseconds.iter().copied()).collect();
            for moment in samples.chunks(MOMENT) {
                let off = |&(point, ns): &(usize, f64)| 1e-9 * ns / truth[point];
                let all: Vec<f64> = moment.iter().map(off).collect();
                let slow = stats::median(&all).expect("a moment has samples");
                for sample in moment {
                    time += 1e-9 * sample.1 * recording.calls[sample.0] as f64;
                    rests[sample.0].push(off(sample) / slow);
                }
                moments.push((time, slow));
            }
        }
        Weather { truth, rests, moments }
    }
}

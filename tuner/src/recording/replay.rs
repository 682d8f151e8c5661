//! A recording as a problem: searches run on it as on the machine it is from.
//!
//! A sample is taken apart into what the point takes, the machine's weather at the time and what is
//! left. The replay puts weather and rest together again: time goes on with every call, weather
//! follows it from a moment drawn by the seed, and rests are drawn from the point's own, a new one
//! for every batch. So differences between points are known exactly, and a search meets all the
//! noise and drift there was.

use super::weather::Weather;
use super::{Damaged, Recording};
use crate::measure::Clock;
use crate::problem::{Problem, Setting, Shape};
use crate::space::{Space, TooLarge, Tunable, Workbench, noise};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::fmt;
use tilewise::Isa;

/// A point of a recorded space, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Point(pub usize);

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "point {}", self.0)
    }
}

/// A recorded space as a problem, and the clock that turns while it is searched.
#[derive(Clone)]
pub struct Replay {
    shape: Shape,
    points: Vec<Value>,
    seeds: usize,
    /// What a call of each point takes, in seconds, whatever the weather.
    truth: Vec<f64>,
    batch_s: Vec<f64>,
    /// By what a sample of each point is off.
    rests: Vec<Vec<f64>>,
    /// When each moment ended, and how slow the machine was in it.
    weather: Vec<(f64, f64)>,
    now: Cell<f64>,
    /// Where in the recording the replay begins.
    offset: f64,
    draws: Cell<usize>,
    running: RefCell<Running>,
}

/// The batch under way.
#[derive(Clone, Default)]
struct Running {
    point: Option<usize>,
    until: f64,
    rest: f64,
}

impl Replay {
    /// Plays a recording from a moment that `seed` decides, and draws noise by it.
    ///
    /// # Errors
    /// [`Damaged`].
    pub fn new(recording: &Recording, seed: u64) -> Result<Replay, Damaged> {
        recording.check()?;
        let Weather { truth, rests, moments } = Weather::of(recording);
        let batches = truth.iter().zip(&recording.calls);
        let batch_s = batches.map(|(truth, calls)| truth * *calls as f64).collect();
        let replay = Replay {
            shape: recording.shape.clone(),
            points: recording.points.clone(),
            seeds: recording.seeds,
            truth,
            batch_s,
            rests,
            weather: moments,
            now: Cell::new(0.0),
            offset: 0.0,
            draws: Cell::new(0),
            running: RefCell::default(),
        };
        Ok(replay.seeded(seed))
    }

    /// The same from the moment that another seed decides, as if it had not been played.
    #[must_use]
    pub fn seeded(mut self, seed: u64) -> Self {
        // Draws of other seeds must have nothing in common.
        let draws = noise(seed as usize) as usize;
        let length = self.weather.last().map_or(0.0, |(end, _)| *end);
        self.offset = length * unit(draws);
        self.draws = Cell::new(draws.wrapping_add(1));
        (self.now, self.running) = (Cell::new(0.0), RefCell::default());
        self
    }

    /// The same, but every point is the default under another name: there is nothing to find.
    #[must_use]
    pub fn all_alike(mut self) -> Self {
        let (truth, batch, rests) = (self.truth[0], self.batch_s[0], self.rests[0].clone());
        self.truth.fill(truth);
        self.batch_s.fill(batch);
        self.rests.fill(rests);
        self
    }

    /// The same, with one point so many times as slow.
    #[must_use]
    pub fn slowed(mut self, point: usize, factor: f64) -> Self {
        self.truth[point] *= factor;
        self
    }

    /// Seconds a call of a point takes, whatever the weather.
    pub fn truth(&self, point: usize) -> f64 {
        self.truth[point]
    }

    /// How many times as long as the best a point takes, less one.
    pub fn regret(&self, point: usize) -> f64 {
        self.truth[point] / self.truth.iter().copied().fold(f64::INFINITY, f64::min) - 1.0
    }

    /// How many points there are.
    #[expect(clippy::len_without_is_empty, reason = "the default is always there")]
    pub fn len(&self) -> usize {
        self.points.len()
    }

    fn draw(&self) -> usize {
        let draw = self.draws.get();
        self.draws.set(draw.wrapping_add(1));
        noise(draw) as usize
    }

    /// How slow the machine is now. The recording is played in a circle.
    fn slow(&self) -> f64 {
        let length = self.weather.last().map_or(1.0, |(end, _)| *end);
        let at = (self.offset + self.now.get()) % length;
        let moment = self.weather.partition_point(|(end, _)| *end <= at);
        self.weather[moment.min(self.weather.len() - 1)].1
    }

    /// Lets a call of a point pass.
    fn pass(&self, point: usize) {
        let mut running = self.running.borrow_mut();
        let now = self.now.get();
        if running.point != Some(point) || now >= running.until {
            let rests = &self.rests[point];
            let rest = rests[self.draw() % rests.len()];
            *running = Running { point: Some(point), until: now + self.batch_s[point], rest };
        }
        self.now.set(now + self.truth[point] * self.slow() * running.rest);
    }
}

/// A number from 0 to 1 made of random bits.
fn unit(bits: usize) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

impl Clock for Replay {
    fn now(&self) -> f64 {
        self.now.get()
    }
}

impl Problem for Replay {
    type Recipe = Point;
    const KERNEL: &'static str = "replay";
    const SURFACE: u32 = super::SCHEMA;

    fn shape(&self) -> Shape {
        self.shape.clone()
    }

    fn dtype(&self) -> &'static str {
        "recorded"
    }

    fn estimate(&self, _: &Setting<'_>) -> Point {
        Point(0)
    }

    fn check(&self, _: Isa, recipe: &Point) -> Result<(), String> {
        let known = recipe.0 < self.len();
        known.then_some(()).ok_or_else(|| format!("{recipe} of {}", self.len()))
    }

    fn threads(_: &Point) -> usize {
        1
    }
}

impl Tunable for Replay {
    fn candidates(&self, _: &Setting<'_>) -> Vec<Point> {
        (0..self.len()).map(Point).collect()
    }

    /// As it was recorded: hints would be of other spaces.
    fn space(&self, setting: &Setting<'_>, _: &[Point]) -> Result<Space<Point>, TooLarge> {
        Space::new(self.candidates(setting), self.seeds, &[], |point| self.points[point.0].clone())
    }

    fn workbench<'a>(&'a self, _: &Setting<'a>) -> Result<Box<dyn Workbench<Point> + 'a>, String> {
        Ok(Box::new(self))
    }
}

impl Workbench<Point> for &Replay {
    /// Takes as long as a call: verified is what was run.
    fn verify(&self, recipe: &Point) -> Result<(), String> {
        self.pass(recipe.0);
        Ok(())
    }

    fn call<'b>(&'b self, recipe: &Point) -> Result<Box<dyn FnMut() + 'b>, String> {
        let point = recipe.0;
        Ok(Box::new(move || self.pass(point)))
    }
}

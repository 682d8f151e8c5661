//! A kernel that takes as long as a test says, and its clock.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;
use tilewise::Isa;
use tilewise_tuner::machine::Machine;
use tilewise_tuner::measure::Clock;
use tilewise_tuner::problem::{Problem, Setting, Shape, shape};
use tilewise_tuner::search::{Error, Found, Search};
use tilewise_tuner::space::{Tunable, Workbench};

/// A kernel whose recipes are numbers, with the seconds a call of each takes on a noisy machine.
pub(crate) struct Fake {
    pub(crate) seconds: Vec<f64>,
    /// Recipes with something wrong about them.
    pub(crate) faults: BTreeMap<usize, Fault>,
    now: Cell<f64>,
    calls: RefCell<Vec<usize>>,
    random: RefCell<Pcg64>,
}

/// What is wrong with a recipe.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// Its result.
    Wrong,
    /// It panics when it is verified, or when it is timed.
    Panics { verified: bool },
    /// So many calls take a tenth of the time.
    FastAtFirst(usize),
    /// Its calls never return.
    Hangs,
    /// It takes the process down.
    Crashes,
}

impl Fake {
    pub(crate) fn new(seconds: Vec<f64>, seed: u64) -> Self {
        let random = RefCell::new(Pcg64::seed_from_u64(seed));
        let calls = RefCell::new(vec![0; seconds.len()]);
        Fake { seconds, faults: BTreeMap::new(), now: Cell::new(0.0), calls, random }
    }

    pub(crate) fn with(mut self, recipe: usize, fault: Fault) -> Self {
        self.faults.insert(recipe, fault);
        self
    }

    pub(crate) fn tune(&self, budget_s: f64) -> Result<Found, Error> {
        self.search(budget_s, |search| search)
    }

    pub(crate) fn search<'a>(
        &'a self,
        budget_s: f64,
        with: impl FnOnce(Search<'a>) -> Search<'a>,
    ) -> Result<Found, Error> {
        let machine = Machine::read();
        let search = Search::within(Duration::from_secs_f64(budget_s)).clock(self);
        with(search).tune(self, &Setting::best(&machine))
    }
}

impl Clock for Fake {
    fn now(&self) -> f64 {
        self.now.get()
    }
}

impl Problem for Fake {
    type Recipe = usize;
    const KERNEL: &'static str = "fake";
    const SURFACE: u32 = 1;

    fn shape(&self) -> Shape {
        shape([("recipes", self.seconds.len().into())])
    }

    fn dtype(&self) -> &'static str {
        "f32"
    }

    fn estimate(&self, _: &Setting<'_>) -> usize {
        0
    }

    fn check(&self, _: Isa, _: &usize) -> Result<(), String> {
        Ok(())
    }

    fn threads(_: &usize) -> usize {
        1
    }
}

impl Tunable for Fake {
    fn candidates(&self, _: &Setting<'_>) -> Vec<usize> {
        (0..self.seconds.len()).collect()
    }

    fn workbench<'a>(&'a self, _: &Setting<'a>) -> Result<Box<dyn Workbench<usize> + 'a>, String> {
        Ok(Box::new(self))
    }
}

impl Workbench<usize> for &Fake {
    fn verify(&self, recipe: &usize) -> Result<(), String> {
        match self.faults.get(recipe) {
            Some(Fault::Wrong) => Err("one is two".to_owned()),
            Some(Fault::Panics { verified: true }) => panic!("out of bounds"),
            _ => Ok(()),
        }
    }

    fn call<'b>(&'b self, recipe: &usize) -> Result<Box<dyn FnMut() + 'b>, String> {
        let (recipe, seconds) = (*recipe, self.seconds[*recipe]);
        let fault = self.faults.get(&recipe).copied();
        Ok(Box::new(move || {
            self.calls.borrow_mut()[recipe] += 1;
            let seconds = match fault {
                Some(Fault::FastAtFirst(calls)) if self.calls.borrow()[recipe] <= calls => {
                    seconds / 10.0
                }
                Some(Fault::Panics { verified: false }) => panic!("while it was timed"),
                Some(Fault::Crashes) => std::process::abort(),
                Some(Fault::Hangs) => loop {
                    std::thread::park();
                },
                _ => seconds,
            };
            let mut random = self.random.borrow_mut();
            let load = 1.0 + 0.1 * (self.now.get() * 3.0).sin().abs();
            let noise = 1.0 - 0.02 * (1.0 - random.random::<f64>()).ln();
            self.now.set(self.now.get() + seconds * load * noise);
        }))
    }
}

/// Forty recipes between one and two times as slow as the default, and some others.
pub(crate) fn plain_with(others: &[f64]) -> Vec<f64> {
    let plain = (0..40).map(|i| 1e-4 * (1.0 + f64::from(i) / 40.0));
    plain.chain(others.iter().map(|factor| factor * 1e-4)).collect()
}

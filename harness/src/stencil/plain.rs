//! The plain source as candidates: over fields of their own, and over an array of structures.

use super::{Field, Workload};
use crate::baseline::{self, Baseline};
use crate::workload::{Check, Work};

pub(super) struct Plain<'a, T> {
    pub(super) workload: &'a Workload<T>,
    pub(super) build: Baseline,
    pub(super) order: baseline::stencil::Order,
}

impl<T: Field> Work for Plain<'_, T> {
    fn run(&mut self) {
        let Workload { stencil, extent, steps, plain, .. } = self.workload;
        let mut fields = plain.borrow_mut();
        for _ in 0..*steps {
            let [from, to] = &mut *fields;
            let step = baseline::stencil::Fields { from, to, extent: *extent };
            self.build.step(*stencil, self.order, step).expect("fields were made for this extent");
            fields.swap(0, 1);
        }
    }

    fn check(&mut self) -> Check {
        let start = self.workload.start();
        let mut fields = self.workload.plain.borrow_mut();
        fields[0].copy_from_slice(&start);
        fields[1].copy_from_slice(&start);
        drop((fields, start));
        self.run();
        let fields = self.workload.plain.borrow();
        Check::compare("plain loop", &fields[0], &self.workload.expected, 0.0)
    }
}

pub(super) struct Structures<'a, T> {
    pub(super) workload: &'a Workload<T>,
    pub(super) build: Baseline,
}

impl<T: Field> Work for Structures<'_, T> {
    fn run(&mut self) {
        let Workload { stencil, extent, steps, structures, .. } = self.workload;
        let mut points = structures.borrow_mut();
        for step in 0..*steps {
            let step = baseline::stencil::Structures {
                points: &mut points,
                from: step % 2,
                extent: *extent,
            };
            self.build.step_structures(*stencil, step).expect("there is room for this extent");
        }
    }

    fn check(&mut self) -> Check {
        let pairs = self.workload.start().into_iter().flat_map(|value| [value, value]);
        let mut points = self.workload.structures.borrow_mut();
        points.iter_mut().zip(pairs).for_each(|(to, value)| *to = value);
        drop(points);
        self.run();
        let points = self.workload.structures.borrow();
        let last = points.iter().skip(self.workload.steps % 2).step_by(2);
        let last: Vec<T> = last.copied().collect();
        Check::compare("plain loop", &last, &self.workload.expected, 0.0)
    }
}

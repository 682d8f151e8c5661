//! The cells a report plans, what they ask for, and whose turn is when.

use super::super::model::Mode;
use super::budget::Need;
use super::{bert, gemm, kmeans, stencil};

/// Everything planned; K-Means has one cell, always.
pub(super) struct Planned {
    pub(super) layers: Vec<gemm::Layer>,
    pub(super) fields: Vec<stencil::Run>,
    pub(super) models: Vec<bert::Model>,
}

/// What is measured at a time, by its place in its section: a cell, or the cells of a model, which
/// share its weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Turn {
    Gemm(usize),
    KMeans,
    Stencil(usize),
    Bert(usize),
}

impl Planned {
    /// The cells of a mode.
    pub(super) fn of(mode: Mode) -> Planned {
        Planned {
            layers: gemm::layers(mode),
            fields: stencil::runs(mode),
            models: bert::models(mode),
        }
    }

    /// What all cells ask for, section by section.
    pub(super) fn needs(&self) -> Vec<Need> {
        let layers = self.layers.iter().map(gemm::Layer::need);
        let fields = self.fields.iter().map(stencil::Run::need);
        let models = self.models.iter().flat_map(bert::Model::needs);
        layers.chain([kmeans::NEED]).chain(fields).chain(models).collect()
    }

    /// Parts of a report: all cells, and the roofs before and after them.
    pub(super) fn parts(&self) -> usize {
        self.needs().len() + 2
    }

    /// All turns. A full report goes section by section. A quick one may run out of time on a slow
    /// machine, so the first of every section come before any second: what is left out then is more
    /// of what there is already.
    pub(super) fn turns(&self, mode: Mode) -> Vec<Turn> {
        let sections: [Vec<Turn>; 4] = [
            (0..self.layers.len()).map(Turn::Gemm).collect(),
            vec![Turn::KMeans],
            (0..self.fields.len()).map(Turn::Stencil).collect(),
            (0..self.models.len()).map(Turn::Bert).collect(),
        ];
        let in_sections = sections.into_iter().flat_map(|turns| turns.into_iter().enumerate());
        let mut turns: Vec<(usize, Turn)> = in_sections.collect();
        if mode == Mode::Quick {
            // Sections keep their order: the sort is stable.
            turns.sort_by_key(|(place, _)| *place);
        }
        turns.into_iter().map(|(_, turn)| turn).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Turn::{Bert, Gemm, KMeans, Stencil};
    use super::*;

    #[test]
    fn a_quick_report_has_something_of_every_section_first() {
        let turns = Planned::of(Mode::Quick).turns(Mode::Quick);
        assert_eq!(turns[..4], [Gemm(0), KMeans, Stencil(0), Bert(0)]);
        assert_eq!(turns[4..], [Gemm(1), Stencil(1), Gemm(2), Gemm(3)]);
    }

    #[test]
    fn a_full_report_goes_section_by_section() {
        let planned = Planned::of(Mode::Full);
        let layers = (0..planned.layers.len()).map(Gemm);
        let fields = (0..planned.fields.len()).map(Stencil);
        let models = (0..planned.models.len()).map(Bert);
        let expected: Vec<Turn> = layers.chain([KMeans]).chain(fields).chain(models).collect();
        assert_eq!(planned.turns(Mode::Full), expected);
    }
}

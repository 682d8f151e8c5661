//! Finds room for labels: beside what they name, and on nothing that is there already.

/// A corner, and the opposite one.
type Area = ((f64, f64), (f64, f64));

/// Width of a small letter and height of a line of labels, in the drawing's units.
const LETTER: f64 = 5.6;
const LINE: f64 = 11.0;

/// Where something stands on a drawing.
#[derive(Default)]
pub(super) struct Places {
    taken: Vec<Area>,
}

impl Places {
    /// Marks a dot.
    pub(super) fn dot(&mut self, (x, y): (f64, f64), radius: f64) {
        self.taken.push(((x - radius, y - radius), (x + radius, y + radius)));
    }

    /// The first of some places for a text that is free, or else the last; it is then taken.
    /// A place is the middle of the text.
    pub(super) fn label(
        &mut self,
        text: &str,
        places: impl IntoIterator<Item = (f64, f64)>,
    ) -> (f64, f64) {
        self.slanted(text, 0.0, places)
    }

    /// As [`Places::label`] for a text that rises to the right by `degrees`.
    pub(super) fn slanted(
        &mut self,
        text: &str,
        degrees: f64,
        places: impl IntoIterator<Item = (f64, f64)>,
    ) -> (f64, f64) {
        let mut found = ((0.0, 0.0), Vec::new());
        for place in places {
            found = (place, boxes(text, place, degrees));
            if !found.1.iter().any(|new| self.taken.iter().any(|old| overlap(new, old))) {
                break;
            }
        }
        self.taken.extend(found.1);
        found.0
    }
}

/// What a text covers: small boxes along its line.
fn boxes(text: &str, (x, y): (f64, f64), degrees: f64) -> Vec<Area> {
    let letters = text.chars().count();
    let (sin, cos) = degrees.to_radians().sin_cos();
    let one = |letter: usize| {
        let along = (letter as f64 + 0.5 - letters as f64 / 2.0) * LETTER;
        let (x, y) = (x + along * cos, y - along * sin);
        // A little more than the letters, so that two texts do not read as one.
        let half = (LETTER / 2.0 + 1.5 + (LINE - LETTER) / 2.0 * sin.abs(), LINE / 2.0);
        ((x - half.0, y - half.1), (x + half.0, y + half.1))
    };
    (0..letters).map(one).collect()
}

fn overlap(a: &Area, b: &Area) -> bool {
    let ((left, top), (right, bottom)) = *a;
    let ((other_left, other_top), (other_right, other_bottom)) = *b;
    left < other_right && other_left < right && top < other_bottom && other_top < bottom
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_takes_the_first_place_that_is_free() {
        let mut places = Places::default();
        places.dot((50.0, 50.0), 4.0);
        let around = [(50.0, 50.0), (50.0, 70.0), (90.0, 70.0)];
        assert_eq!(places.label("one", around), (50.0, 70.0));
        assert_eq!(places.label("two", around), (90.0, 70.0));
        assert_eq!(places.label("none is left", around), (90.0, 70.0));
    }
}

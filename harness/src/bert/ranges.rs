//! The ranges of inputs that [`Precision::Int8Static`](super::Precision::Int8Static) multiplies over:
//! found once, on texts like those to come, kept in a file, and refused by models of other linear layers.

use super::Error;
use super::config::json;
use super::encoder::LINEARS;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Version of the file's layout.
const SCHEMA: u32 = 1;

/// The least and the greatest input of every linear layer, from
/// [`Encoder::calibrate`](super::Encoder::calibrate).
///
/// They go into JSON and come back with the same bits. What comes back is checked: ends that are no
/// range are refused when they are read, those of another model by the
/// [`Encoder`](super::Encoder) they are given to.
///
/// ```
/// use tilewise::Solo;
/// use tilewise_harness::bert::{Batch, Config, Encoder, Precision, Ranges, Room, Synthetic};
/// let (mut config, source) = (Config::minilm(), Synthetic { seed: 1 });
/// (config.layers, config.vocabulary) = (1, 100);
/// let floats = Encoder::new(&config, &source, Precision::Fp32)?;
/// let mut batch = Batch::default();
/// batch.push(&[1, 2, 3]);
/// let found = floats.calibrate([&batch], &mut Room::default(), &Solo)?;
/// let kept = serde_json::to_string(&found)?;
/// let ranges: Ranges = serde_json::from_str(&kept)?;
/// assert_eq!(ranges, found);
/// Encoder::new(&config, &source, Precision::Int8Static(&ranges))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "File", into = "File")]
pub struct Ranges {
    /// What tells the model they were found on from others: a digest of its linear layers.
    model: String,
    /// Layer by layer.
    ends: Vec<[f32; 2]>,
}

impl Ranges {
    /// Nothing seen yet by so many linear layers of a model.
    pub(super) fn new(model: String, linears: usize) -> Ranges {
        Ranges { model, ends: vec![[0.0; 2]; linears] }
    }

    /// Reads a file of them.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::Malformed`] for another layout, or ends that are no range.
    pub fn read(path: &Path) -> Result<Ranges, Error> {
        json(path)?.ok_or_else(|| Error::absent(path, "ranges that were found on the model"))
    }

    /// Widens a layer's range by what it is given.
    pub(super) fn see(&mut self, linear: usize, input: &[f32]) {
        let [low, high] = &mut self.ends[linear];
        for &value in input {
            *low = low.min(value);
            *high = high.max(value);
        }
    }

    /// The range of a layer.
    pub(super) fn get(&self, linear: usize) -> [f32; 2] {
        self.ends[linear]
    }

    /// Whether they are of so many layers.
    pub(super) fn check_count(&self, linears: usize) -> Result<(), Error> {
        if self.ends.len() == linears {
            return Ok(());
        }
        Err(Error::Ranges { given: self.ends.len(), expected: linears })
    }

    /// Whether they were found on this model.
    pub(super) fn check_model(&self, model: &str) -> Result<(), Error> {
        if self.model == model {
            return Ok(());
        }
        Err(Error::OtherModel { given: self.model.clone(), expected: model.into() })
    }
}

/// As they are written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: u32,
    model: String,
    layers: Vec<Layer>,
}

/// The linear layers of a layer.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Layer {
    query_key_value: [f32; 2],
    attention_output: [f32; 2],
    feed_forward_up: [f32; 2],
    feed_forward_down: [f32; 2],
}

impl Layer {
    /// In the order of a forward pass, under the names they have in the file.
    fn named(&self) -> [(&'static str, [f32; 2]); LINEARS] {
        [
            ("query-key-value", self.query_key_value),
            ("attention-output", self.attention_output),
            ("feed-forward-up", self.feed_forward_up),
            ("feed-forward-down", self.feed_forward_down),
        ]
    }
}

impl From<Ranges> for File {
    fn from(Ranges { model, ends }: Ranges) -> File {
        let layer = |&[qkv, output, up, down]: &[[f32; 2]; LINEARS]| Layer {
            query_key_value: qkv,
            attention_output: output,
            feed_forward_up: up,
            feed_forward_down: down,
        };
        let layers = ends.as_chunks().0.iter().map(layer).collect();
        File { schema: SCHEMA, model, layers }
    }
}

impl TryFrom<File> for Ranges {
    type Error = String;

    fn try_from(File { schema, model, layers }: File) -> Result<Ranges, String> {
        if schema != SCHEMA {
            return Err(format!("the schema is {schema}; expected {SCHEMA}"));
        }
        let mut ends = Vec::with_capacity(LINEARS * layers.len());
        for (index, layer) in layers.iter().enumerate() {
            for (name, range) in layer.named() {
                let [low, high] = range;
                // Zero is in every range, and one without width is of a layer that saw nothing.
                let sound = low <= 0.0 && high >= 0.0 && low < high;
                if !sound || !low.is_finite() || !high.is_finite() {
                    return Err(format!(
                        "{name} of layer {index} is {range:?}; expected two finite numbers, the \
                         lesser first, and 0 between them or one of them"
                    ));
                }
                ends.push(range);
            }
        }
        Ok(Ranges { model, ends })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of all sizes there are, the smallest and the largest among them.
    #[test]
    fn ranges_come_back_with_their_bits() {
        let largest = f32::MAX.to_bits();
        let linears = 1000 * LINEARS;
        let mut ranges = Ranges::new("a model".into(), linears);
        ranges.see(0, &[-f32::MAX, f32::from_bits(1)]);
        let mut state = 1u32;
        let mut drawn = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f32::from_bits(1 + state % largest)
        };
        (1..linears).for_each(|linear| ranges.see(linear, &[-drawn(), drawn()]));
        let kept = serde_json::to_string(&ranges).unwrap();
        assert_eq!(serde_json::from_str::<Ranges>(&kept).unwrap(), ranges);
    }

    #[test]
    fn what_is_no_range_is_refused() {
        let refused = |range: [f32; 2]| {
            let mut ranges = Ranges::new(String::new(), 2 * LINEARS);
            ranges.ends.fill([-1.0, 1.0]);
            ranges.ends[6] = range;
            let error = Ranges::try_from(File::from(ranges)).expect_err("no range");
            assert!(error.starts_with("feed-forward-up of layer 1 is ["), "{error}");
        };
        for range in [[1.0, 2.0], [-2.0, -1.0], [1.0, -1.0], [0.0, 0.0]] {
            refused(range);
        }
        for end in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            refused([end, 1.0]);
            refused([-1.0, end]);
        }
    }
}

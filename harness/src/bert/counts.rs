//! How many operations of each type a sequence passes, of bytes and of floats: as an encoder really
//! multiplies, which for attention depends on how long a sequence is.

use super::Encoder;
use super::evaluation::Head;

/// Operations of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// The type.
    pub name: &'static str,
    /// Those of bytes.
    pub int8: usize,
    /// Those of 32-bit floats.
    pub fp32: usize,
    /// How many sequences pass them.
    pub sequences: usize,
}

/// The operations of sequences of these lengths. Products of attention stand twice where some
/// sequences are long enough for bytes and others are not.
pub fn counts(
    encoder: &Encoder,
    head: &Head,
    lengths: impl IntoIterator<Item = usize>,
) -> Vec<Count> {
    let lengths: Vec<usize> = lengths.into_iter().collect();
    let (layers, sequences) = (encoder.config().layers, lengths.len());
    let float = |name, fp32| Count { name, int8: 0, fp32, sequences };
    let (int8, linears) = encoder.linear_in_bytes();
    let mut counts = vec![Count { int8, ..float("linear", linears - int8) }];
    let long = lengths.iter().filter(|&&tokens| encoder.attends_in_bytes(tokens)).count();
    let products = 2 * layers;
    let attention = "attention product";
    if long > 0 {
        counts.push(Count { name: attention, int8: products, fp32: 0, sequences: long });
    }
    if long < sequences {
        let name = if long > 0 { "attention product, short sequences" } else { attention };
        let short = sequences - long;
        counts.push(Count { name, int8: 0, fp32: products, sequences: short });
    }
    counts.extend([
        float("softmax", layers),
        float("layer norm", 2 * layers + 1),
        float("activation", layers),
        float("embedding", 3),
    ]);
    if let Head::Answer(_) = head {
        counts.push(float("answer head", 1));
    }
    counts
}

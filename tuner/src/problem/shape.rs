//! The sizes of a problem, by name: compared and hashed without taking memory, because wisdom is
//! looked up before calls that take microseconds.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// The sizes of a problem by name, in the order of their names.
///
/// ```
/// use tilewise_tuner::problem::shape;
/// let product = shape([("m", 128.into()), ("k", 768.into())]);
/// assert_eq!(product.to_string(), "k 768, m 128");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shape(SmallVec<[(Cow<'static, str>, Size); MOST]>);

/// No problem has more sizes: those of shapes that are longer take memory.
const MOST: usize = 5;

/// One entry of a shape: a number, or a name where a problem comes in kinds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Size {
    /// So many.
    Number(usize),
    /// This kind.
    Name(Cow<'static, str>),
}

/// Makes a shape of names and sizes.
#[inline]
pub fn shape<const N: usize>(sizes: [(&'static str, Size); N]) -> Shape {
    let mut shape = Shape::default();
    sizes.into_iter().for_each(|(name, size)| shape.0.push((Cow::Borrowed(name), size)));
    shape.0.sort_unstable();
    shape
}

impl Shape {
    /// The sizes, ordered by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Size)> {
        self.0.iter().map(|(name, size)| (&**name, size))
    }

    /// The same with another size.
    pub fn with(mut self, name: &'static str, size: Size) -> Shape {
        self.0.push((Cow::Borrowed(name), size));
        self.0.sort_unstable();
        self
    }

    /// How far another shape is: the largest factor between two sizes of the same name, as its
    /// logarithm. `None` if kinds or names differ: such problems have nothing to tell each other.
    ///
    /// The largest and not the sum or the product: a long thin product has as many sums as a
    /// square one and is cut in another way.
    ///
    /// ```
    /// # use tilewise_tuner::problem::shape;
    /// let (a, b) = (shape([("m", 100.into()), ("n", 8.into())]), shape([("m", 50.into()), ("n", 16.into())]));
    /// assert_eq!(a.distance(&b), Some(2f64.ln()));
    /// ```
    pub fn distance(&self, other: &Shape) -> Option<f64> {
        if self.0.len() != other.0.len() {
            return None;
        }
        let pairs = self.0.iter().zip(&other.0);
        pairs
            .map(|(one, other)| apart(one, other))
            .try_fold(0.0, |most, d| Some(f64::max(most, d?)))
    }
}

fn apart(one: &(Cow<'_, str>, Size), other: &(Cow<'_, str>, Size)) -> Option<f64> {
    match (one, other) {
        ((a, Size::Number(x)), (b, Size::Number(y))) if a == b && x.min(y) > &0 => {
            Some((*x as f64 / *y as f64).ln().abs())
        }
        _ => (one == other).then_some(0.0),
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, size)) in self.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{name} {size}")?;
        }
        Ok(())
    }
}

impl Serialize for Shape {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A map: names are sorted, and each is there once.
        let sizes = BTreeMap::<String, Size>::deserialize(deserializer)?;
        Ok(Shape(sizes.into_iter().map(|(name, size)| (Cow::Owned(name), size)).collect()))
    }
}

impl From<usize> for Size {
    fn from(number: usize) -> Self {
        Size::Number(number)
    }
}

impl From<&'static str> for Size {
    fn from(name: &'static str) -> Self {
        Size::Name(Cow::Borrowed(name))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Size::Number(number) => number.fmt(f),
            Size::Name(name) => name.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_of_other_kinds_are_no_neighbours() {
        let flat = shape([("kind", "heat5".into()), ("x", 10.into())]);
        let deep = shape([("kind", "heat7".into()), ("x", 10.into())]);
        assert_eq!(flat.distance(&flat), Some(0.0));
        assert_eq!(flat.distance(&deep), None);
        assert_eq!(flat.distance(&shape([("x", 10.into())])), None);
        assert_eq!(shape([("x", 0.into())]).distance(&shape([("x", 9.into())])), None);
    }

    #[test]
    fn shapes_are_written_as_maps() {
        let written = shape([("y", 2.into()), ("kind", "heat5".into())]);
        let text = serde_json::to_string(&written).expect("JSON");
        assert_eq!(text, r#"{"kind":"heat5","y":2}"#);
        assert_eq!(serde_json::from_str::<Shape>(&text).expect("a shape"), written);
    }
}

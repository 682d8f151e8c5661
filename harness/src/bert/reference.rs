//! The forward pass in plain loops and 64 bits: what the fast one is compared with.

use super::{Activation, Batch, Config, Error, Source};

/// The hidden states behind the last layer, a row for each token.
///
/// # Errors
/// Those of [`Config::check`], of [`Batch::check`] and of the source.
pub fn encode(config: &Config, source: &dyn Source, batch: &Batch) -> Result<Vec<f64>, Error> {
    config.check()?;
    batch.check(config)?;
    let model = Model { config, source };
    let mut states = model.embed(batch)?;
    for index in 0..config.layers {
        states = model.layer(&format!("encoder.layer.{index}"), batch, &states)?;
    }
    Ok(states)
}

struct Model<'a> {
    config: &'a Config,
    source: &'a dyn Source,
}

impl Model<'_> {
    fn embed(&self, batch: &Batch) -> Result<Vec<f64>, Error> {
        let Config { hidden, vocabulary, positions, types, .. } = *self.config;
        let table = |name: &str, rows| {
            self.source.tensor(&format!("embeddings.{name}.weight"), &[rows, hidden])
        };
        let words = table("word_embeddings", vocabulary)?;
        let places = table("position_embeddings", positions)?;
        let kinds = table("token_type_embeddings", types)?;
        let mut states = Vec::new();
        for sequence in (0..batch.len()).map(|index| batch.sequence(index)) {
            for (place, token) in sequence.enumerate() {
                let (id, kind) = (batch.ids()[token] as usize, batch.types()[token] as usize);
                states.extend((0..hidden).map(|i| {
                    let [word, kind, place] = [
                        words[id * hidden + i],
                        kinds[kind * hidden + i],
                        places[place * hidden + i],
                    ];
                    f64::from(word) + f64::from(kind) + f64::from(place)
                }));
            }
        }
        self.norm("embeddings.LayerNorm", &mut states)?;
        Ok(states)
    }

    fn layer(&self, stem: &str, batch: &Batch, states: &[f64]) -> Result<Vec<f64>, Error> {
        let Config { hidden, intermediate, activation, .. } = *self.config;
        let linear =
            |name: &str, x: &[f64], sizes| self.linear(&format!("{stem}.{name}"), x, sizes);
        let part = |name| linear(name, states, [hidden, hidden]);
        let (queries, keys) = (part("attention.self.query")?, part("attention.self.key")?);
        let context = self.attend(batch, [&queries, &keys, &part("attention.self.value")?]);
        let mut middle = linear("attention.output.dense", &context, [hidden, hidden])?;
        middle.iter_mut().zip(states).for_each(|(x, residual)| *x += residual);
        self.norm(&format!("{stem}.attention.output.LayerNorm"), &mut middle)?;
        let mut wide = linear("intermediate.dense", &middle, [intermediate, hidden])?;
        wide.iter_mut().for_each(|x| *x = apply(activation, *x));
        let mut out = linear("output.dense", &wide, [hidden, intermediate])?;
        out.iter_mut().zip(&middle).for_each(|(x, residual)| *x += residual);
        self.norm(&format!("{stem}.output.LayerNorm"), &mut out)?;
        Ok(out)
    }

    fn linear(
        &self,
        name: &str,
        x: &[f64],
        [outputs, inputs]: [usize; 2],
    ) -> Result<Vec<f64>, Error> {
        let weights = self.source.tensor(&format!("{name}.weight"), &[outputs, inputs])?;
        let bias = self.source.tensor(&format!("{name}.bias"), &[outputs])?;
        let mut out = Vec::with_capacity(x.len() / inputs * outputs);
        for x in x.chunks_exact(inputs) {
            for (weights, bias) in weights.chunks_exact(inputs).zip(&bias) {
                let products = x.iter().zip(weights).map(|(x, w)| x * f64::from(*w));
                out.push(products.sum::<f64>() + f64::from(*bias));
            }
        }
        Ok(out)
    }

    fn attend(&self, batch: &Batch, [queries, keys, values]: [&[f64]; 3]) -> Vec<f64> {
        let (hidden, width) = (self.config.hidden, self.config.head());
        let mut context = vec![0.0; queries.len()];
        for sequence in (0..batch.len()).map(|index| batch.sequence(index)) {
            for (head, query) in
                (0..self.config.heads).flat_map(|h| sequence.clone().map(move |q| (h, q)))
            {
                let at = |matrix: &'_ [f64], token: usize, i: usize| {
                    matrix[token * hidden + head * width + i]
                };
                let scores = sequence.clone().map(|key| {
                    let dot: f64 =
                        (0..width).map(|i| at(queries, query, i) * at(keys, key, i)).sum();
                    dot / (width as f64).sqrt()
                });
                let scores: Vec<f64> = scores.collect();
                let most = scores.iter().copied().fold(f64::MIN, f64::max);
                let powers: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
                let sum: f64 = powers.iter().sum();
                for i in 0..width {
                    let pairs = powers.iter().zip(sequence.clone());
                    let mean: f64 =
                        pairs.map(|(power, key)| power / sum * at(values, key, i)).sum();
                    context[query * hidden + head * width + i] = mean;
                }
            }
        }
        context
    }

    fn norm(&self, name: &str, states: &mut [f64]) -> Result<(), Error> {
        let hidden = self.config.hidden;
        let read = |part| self.source.tensor(&format!("{name}.{part}"), &[hidden]);
        let (weights, bias) = (read("weight")?, read("bias")?);
        for row in states.chunks_exact_mut(hidden) {
            let mean = row.iter().sum::<f64>() / hidden as f64;
            let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / hidden as f64;
            let length = (variance + f64::from(self.config.epsilon)).sqrt();
            for ((x, weight), bias) in row.iter_mut().zip(&weights).zip(&bias) {
                *x = (*x - mean) / length * f64::from(*weight) + f64::from(*bias);
            }
        }
        Ok(())
    }
}

fn apply(activation: Activation, x: f64) -> f64 {
    let tanh = |x: f64| {
        let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
        0.5 * x * (1.0 + inner.tanh())
    };
    match activation {
        Activation::Gelu => x * normal(x),
        Activation::GeluTanh => tanh(x),
        Activation::Relu => x.max(0.0),
    }
}

/// The normal distribution, by the series `1/2 + density * (x + x^3 / 3 + x^5 / (3 * 5) + ...)`,
/// whose terms are all of one sign.
fn normal(x: f64) -> f64 {
    if x.abs() > 8.0 {
        return if x > 0.0 { 1.0 } else { 0.0 };
    }
    let (mut term, mut sum, mut odd) = (x, x, 1.0);
    while term.abs() > f64::EPSILON * sum.abs() {
        odd += 2.0;
        term *= x * x / odd;
        sum += term;
    }
    0.5 + sum * (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

#[cfg(test)]
mod tests {
    use super::normal;

    /// Values of the tables of the normal distribution.
    #[test]
    fn the_normal_distribution_is_that_of_the_tables() {
        for (x, value) in [(0.0, 0.5), (1.0, 0.841_344_746_068_543), (-2.0, 0.022_750_131_948_179)]
        {
            assert!((normal(x) - value).abs() < 1e-14, "{x}");
        }
        assert!((normal(5.0) - (1.0 - 2.866_515_718_791_946e-7)).abs() < 1e-15);
    }
}

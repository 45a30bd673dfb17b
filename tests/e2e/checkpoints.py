"""Reading, rewriting and damaging safetensors checkpoints from a test. Standard library only.

A tensor is (dtype, shape, bytes); a checkpoint is a dict of them by name."""

import json
import os
import re
import struct


def read(path):
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    return {name: (t["dtype"], t["shape"], data[slice(*t["data_offsets"])])
            for name, t in header.items() if name != "__metadata__"}


def read_folder(folder):
    tensors = {}
    for name in sorted(os.listdir(folder)):
        if name.startswith("model") and name.endswith(".safetensors"):
            tensors.update(read(os.path.join(folder, name)))
    with open(os.path.join(folder, "config.json"), encoding="utf8") as f:
        return json.load(f), tensors


def write(path, tensors, shift=0, gap=0):
    """shift: bytes by which the data miss an aligned start; gap: unused bytes before every tensor."""
    header, parts, at = {}, [], 0
    for name, (dtype, shape, data) in tensors.items():
        parts.append(b"\xff" * gap + data)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at + gap, at + gap + len(data)]}
        at += gap + len(data)
    text = json.dumps(header).encode()
    write_raw(path, text + b" " * (-len(text) % 8 + shift), b"".join(parts))


def write_raw(path, header, data=b"", length=None):
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(header) if length is None else length) + header + data)


def write_folder(folder, config, tensors, **layout):
    with open(os.path.join(folder, "config.json"), "w", encoding="utf8") as f:
        json.dump(config, f)
    write(os.path.join(folder, "model.safetensors"), tensors, **layout)


def write_shards(folder, config, parts):
    """parts: file name to its tensors."""
    with open(os.path.join(folder, "config.json"), "w", encoding="utf8") as f:
        json.dump(config, f)
    for name, tensors in parts.items():
        write(os.path.join(folder, name), tensors)
    where = {tensor: name for name, tensors in parts.items() for tensor in tensors}
    with open(os.path.join(folder, "model.safetensors.index.json"), "w", encoding="utf8") as f:
        json.dump({"metadata": {}, "weight_map": where}, f)


def write_endless(folder, model):
    """A copy of `model` that never ends a greedy answer: the logits of all added tokens are zero."""
    config, tensors = read_folder(model)
    with open(os.path.join(model, "tokenizer.json"), encoding="utf8") as f:
        added = [token["id"] for token in json.load(f)["added_tokens"]]
    dtype, shape, data = tensors["head.weight"]
    row, rows = len(data) // shape[0], bytearray(data)
    for token in added:
        rows[token * row:(token + 1) * row] = bytes(row)
    write_folder(folder, config, {**tensors, "head.weight": (dtype, shape, bytes(rows))})
    os.symlink(os.path.join(model, "tokenizer.json"), os.path.join(folder, "tokenizer.json"))
    with open(os.path.join(folder, "generation_config.json"), "w", encoding="utf8") as f:
        json.dump({"do_sample": False, "hadal_prompt_generation": "v4-preview"}, f)


GLOBAL_NAMES = {"embed.weight": "model.embed_tokens.weight", "norm.weight": "model.norm.weight", "head.weight": "lm_head.weight"}
CONVERTER_NAMES = {"wq_a": "q_a_proj", "q_norm": "q_a_layernorm", "wq_b": "q_b_proj", "kv_norm": "kv_a_layernorm", "w1": "gate_proj",
                   "w2": "down_proj", "w3": "up_proj", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
                   "attn": "self_attn", "ffn": "mlp", "scale": "weight_scale_inv"}


def converter_name(name):
    """The older spelling that the published converter cleans up."""
    if name in GLOBAL_NAMES:
        return GLOBAL_NAMES[name]
    parts = name.split(".")
    new = [CONVERTER_NAMES.get(part, part) for part in parts]
    if parts[-2:] == ["gate", "bias"]:
        new[-1] = "e_score_correction_bias"
    return ("model." if parts[0] == "layers" else "") + ".".join(new)


# Longest first: a name takes the first that it begins with.
MODULES = [("attn.indexer.compressor.wkv", "self_attn.compressor.indexer.kv_proj"),
           ("attn.indexer.compressor.wgate", "self_attn.compressor.indexer.gate_proj"),
           ("attn.indexer.compressor.ape", "self_attn.compressor.indexer.position_bias"),
           ("attn.indexer.compressor.norm", "self_attn.compressor.indexer.kv_norm"),
           ("attn.indexer.wq_b", "self_attn.compressor.indexer.q_b_proj"),
           ("attn.indexer.weights_proj", "self_attn.compressor.indexer.scorer.weights_proj"),
           ("attn.compressor.wkv", "self_attn.compressor.kv_proj"), ("attn.compressor.wgate", "self_attn.compressor.gate_proj"),
           ("attn.compressor.ape", "self_attn.compressor.position_bias"), ("attn.compressor.norm", "self_attn.compressor.kv_norm"),
           ("attn_norm", "input_layernorm"), ("ffn_norm", "post_attention_layernorm"), ("attn.wq_a", "self_attn.q_a_proj"),
           ("attn.q_norm", "self_attn.q_a_norm"), ("attn.wq_b", "self_attn.q_b_proj"), ("attn.wkv", "self_attn.kv_proj"),
           ("attn.kv_norm", "self_attn.kv_norm"), ("attn.wo_a", "self_attn.o_a_proj"), ("attn.wo_b", "self_attn.o_b_proj"),
           ("attn.attn_sink", "self_attn.sinks"), ("hc_attn_", "attn_hc."), ("hc_ffn_", "ffn_hc."),
           ("ffn.gate.bias", "mlp.gate.e_score_correction_bias"), ("ffn.gate", "mlp.gate"),
           ("ffn.shared_experts.w1", "mlp.shared_experts.gate_proj"), ("ffn.shared_experts.w3", "mlp.shared_experts.up_proj"),
           ("ffn.shared_experts.w2", "mlp.shared_experts.down_proj")]


def transformers_name(name):
    if name in GLOBAL_NAMES:
        return GLOBAL_NAMES[name]
    if name.startswith("hc_head_"):
        return "model.hc_head.hc_" + name[len("hc_head_"):]
    layer = re.match(r"layers\.\d+\.", name)
    if not layer:
        return name
    rest = name[layer.end():]
    for old, new in MODULES:
        if rest.startswith(old):
            return "model." + layer.group() + new + rest[len(old):]
    raise KeyError(name)


def as_transformers(tensors):
    """The module names of `transformers`, the routed experts of a layer fused into two tensors."""
    out, experts = {}, {}
    for name, tensor in tensors.items():
        found = re.fullmatch(r"(layers\.\d+)\.ffn\.experts\.(\d+)\.(w\d)\.(weight|scale)", name)
        if found:
            layer, expert, matrix, leaf = found.groups()
            experts.setdefault((layer, leaf), {})[int(expert), matrix] = tensor
        else:
            out[transformers_name(name)] = tensor
    for (layer, leaf), matrices in experts.items():
        count = len(matrices) // 3
        suffix = "_scale_inv" if leaf == "scale" else ""
        for fused, parts in (("gate_up_proj", ("w1", "w3")), ("down_proj", ("w2",))):
            dtype, (rows, columns), _ = matrices[0, parts[0]]
            data = b"".join(matrices[expert, part][2] for expert in range(count) for part in parts)
            out[f"model.{layer}.mlp.experts.{fused}{suffix}"] = (dtype, [count, rows * len(parts), columns], data)
    return out

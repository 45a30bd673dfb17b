#!/usr/bin/env python3
"""Makes base-layers: some consecutive layers of a reference checkpoint that has a stream file, as a checkpoint of its
own with the streams of these layers. No number is changed. Python 3 standard library only.

usage: cut_layers.py SOURCE_DIR FIRST COUNT OUT_DIR"""

import json
import os
import re
import struct
import sys


def load(path):
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    header.pop("__metadata__", None)
    return {name: (info, data[slice(*info["data_offsets"])]) for name, info in header.items()}


def save(path, tensors):
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, (info, data) in tensors.items():
        header[name] = {**info, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header, separators=(",", ":"))
    text += " " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text.encode())
        for _, data in tensors.values():
            f.write(data)


def cut(tensors, pattern, first, last):
    """Tensors of the layers first..last under their new numbers, and those that belong to no layer."""
    out = {}
    for name, value in tensors.items():
        found = re.match(pattern, name)
        if not found:
            out[name] = value
        elif first <= int(found.group(1)) <= last:
            out[name[:found.start(1)] + str(int(found.group(1)) - first) + name[found.end(1):]] = value
    return out


def main():
    source, first, count, out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    with open(os.path.join(source, "config.json"), encoding="utf8") as f:
        config = json.load(f)
    with open(os.path.join(source, "golden.json"), encoding="utf8") as f:
        golden = json.load(f)
    model = {n: v for n, v in load(os.path.join(source, "model.safetensors")).items() if not n.startswith("mtp.")}
    config["num_hidden_layers"] = count
    config["num_hash_layers"] = max(0, min(count, config["num_hash_layers"] - first))
    config["num_nextn_predict_layers"] = 0
    config["compress_ratios"] = config["compress_ratios"][first:first + count]
    os.makedirs(out, exist_ok=True)
    save(os.path.join(out, "model.safetensors"), cut(model, r"(?:model\.)?layers\.(\d+)\.", first, first + count - 1))
    save(os.path.join(out, "streams.safetensors"),
         cut(load(os.path.join(source, "streams.safetensors")), r"stream\.(\d+)$", first, first + count))
    for name, value in (("config.json", config),
                        ("golden.json", {"name": "base-layers", "sequences": {}, "limits": golden["limits"]})):
        with open(os.path.join(out, name), "w", encoding="utf8") as f:
            json.dump(value, f, indent=1)
            f.write("\n")


main()

"""Checkpoints as others might write them give the same bits; damaged ones are refused by name."""

import json
import os
import struct
import tempfile

import checkpoints
import program

SOURCE = os.path.join(program.SOURCE, "tests", "golden", "tiny-fp8fp4")
IDS = [(7 * i * i + 3) % 320 for i in range(50)]


class Case(program.Case):
    @classmethod
    def setUpClass(cls):
        cls.config, cls.tensors = checkpoints.read_folder(SOURCE)

    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = os.path.join(holder.name, "model")
        self.ids = os.path.join(holder.name, "ids.json")
        self.out = os.path.join(holder.name, "out.safetensors")
        os.mkdir(self.folder)
        with open(self.ids, "w", encoding="utf8") as f:
            json.dump(IDS, f)

    def file(self, name="model.safetensors"):
        return os.path.join(self.folder, name)

    def arguments(self, folder):
        return ["logits", folder, "--ids", self.ids, "--all", "--mtp", "--out", self.out]

    def logits(self, folder):
        self.finished(*self.arguments(folder))
        with open(self.out, "rb") as f:
            return f.read()

    def refused_naming(self, *names):
        """One line on standard error with all of `names`, status 1."""
        message = self.refused(*self.arguments(self.folder), status=1)
        self.assertEqual(message.count("\n"), 1, message)
        for name in names:
            self.assertIn(name, message)
        self.assertFalse(os.path.exists(self.out))


class Forms(Case):
    def same(self, tensors, **layout):
        checkpoints.write_folder(self.folder, self.config, tensors, **layout)
        self.assertEqual(self.logits(self.folder), self.logits(SOURCE))

    def test_one_file(self):
        self.same(self.tensors)

    def test_prefix(self):
        self.same({"model." + name: tensor for name, tensor in self.tensors.items()})

    def test_names_of_the_converter(self):
        self.same({checkpoints.converter_name(name): tensor for name, tensor in self.tensors.items()})

    def test_names_of_transformers_with_fused_experts(self):
        self.same(checkpoints.as_transformers(self.tensors))

    def test_any_alignment(self):
        for shift in (1, 2, 4):
            with self.subTest(shift=shift):
                self.same(self.tensors, shift=shift, gap=3)

    def test_tensors_nobody_asked_for(self):
        more = {"layers.0.attn.rotary.inv_freq": ("F32", [], b"\0" * 4), "layers.99.attn.wq_a.weight": ("BF16", [1] * 6, b"\0\0"),
                "nothing": ("I32", [0, 7], b"")}
        self.same({**more, **self.tensors})

    def test_shards_in_any_order(self):
        names = sorted(self.tensors, key=lambda name: name[::-1])
        os.mkdir(self.file("sub folder"))
        parts = {f"{'sub folder/' if i == 1 else ''}part {i}.safetensors": {name: self.tensors[name] for name in names[i::3]} for i in range(3)}
        checkpoints.write_shards(self.folder, self.config, parts)
        self.assertEqual(self.logits(self.folder), self.logits(SOURCE))


class Tensors(Case):
    def damaged(self, name, dtype=None, shape=None, data=None):
        old = self.tensors[name]
        tensor = (dtype or old[0], old[1] if shape is None else shape, old[2] if data is None else data)
        checkpoints.write_folder(self.folder, self.config, {**self.tensors, name: tensor})
        self.refused_naming("model.safetensors", name)

    def without(self, name):
        checkpoints.write_folder(self.folder, self.config, {n: t for n, t in self.tensors.items() if n != name})
        self.refused_naming("model", name)

    def test_missing(self):
        for name in ("embed.weight", "layers.4.attn.compressor.ape", "layers.3.ffn.gate.bias", "layers.1.attn.wq_b.scale",
                     "layers.1.ffn.experts.3.w2.scale", "mtp.0.e_proj.weight"):
            with self.subTest(name):
                self.without(name)

    def test_wrong_shape(self):
        for name, shape in (("layers.0.attn.wq_a.weight", [64, 256]), ("layers.0.attn.wq_a.weight", [128 * 128]),
                            ("layers.0.attn.wq_a.weight", [1, 1, 1, 1, 128, 128]), ("layers.2.ffn.experts.5.w1.scale", [256, 2])):
            with self.subTest(name=name, shape=shape):
                self.damaged(name, shape=shape)

    def test_wrong_type(self):
        self.damaged("layers.0.attn.wq_a.weight", dtype="I8")
        self.damaged("layers.2.attn.wkv.scale", dtype="F32", data=b"\0\0\x80\x3f")
        table = self.tensors["layers.0.ffn.gate.tid2eid"]
        self.damaged("layers.0.ffn.gate.tid2eid", dtype="I32", data=table[2][:len(table[2]) // 2])

    def test_scale_that_is_not_a_number(self):
        for name in ("layers.2.attn.wkv.scale", "layers.2.ffn.experts.5.w1.scale", "layers.2.attn.indexer.wq_b.scale",
                     "layers.2.ffn.shared_experts.w3.scale", "mtp.0.ffn.experts.1.w2.scale"):
            with self.subTest(name):
                data = bytearray(self.tensors[name][2])
                data[-1] = 255
                self.damaged(name, data=bytes(data))

    def test_expert_that_is_not_there(self):
        name = "layers.0.ffn.gate.tid2eid"
        for expert in (8, -1, 1 << 62, -1 << 63):
            for at in (0, -8):
                with self.subTest(expert=expert, at=at):
                    data = bytearray(self.tensors[name][2])
                    data[at:at + 8 or None] = struct.pack("<q", expert)
                    self.damaged(name, data=bytes(data))

    def test_two_spellings_of_one_tensor(self):
        checkpoints.write_folder(self.folder, self.config, {**self.tensors, "model.norm.weight": self.tensors["norm.weight"]})
        self.refused_naming("model.safetensors", "model.norm.weight")


class Files(Case):
    def test_truncated(self):
        checkpoints.write_folder(self.folder, self.config, self.tensors)
        for size in (os.path.getsize(self.file()) - 1, 5000, 100, 9, 8, 7, 0):
            with self.subTest(size):
                os.truncate(self.file(), size)
                self.refused_naming("model.safetensors")

    def test_headers_that_make_no_sense(self):
        entry = b'"a":{"dtype":"F32","shape":%s,"data_offsets":%s}'
        for header, data, length in (
                (b"{}", b"", 1 << 63), (b"{}", b"", (1 << 64) - 1), (b"{}", b"", 99_999_999), (b"", b"", None), (b"[]", b"", None),
                (b'{"a":', b"", None), (b"[" * 1_000_000, b"", None), (b'{"a":' * 100_000, b"", None), (b"{} x", b"", None),
                (b"{" + entry % (b"[1]", b"[0,4]") + b"," + entry % (b"[1]", b"[4,8]") + b"}", b"\0" * 8, None),
                (b"{" + entry % (b"[2]", b"[0,8]") + b',"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', b"\0" * 8, None),
                (b"{" + entry % (b"[2]", b"[8,0]") + b"}", b"\0" * 8, None), (b"{" + entry % (b"[-1]", b"[0,4]") + b"}", b"\0" * 8, None),
                (b"{" + entry % (b"[4294967296,4294967296]", b"[0,0]") + b"}", b"", None),
                (b"{" + entry % (b"[1]", b"[18446744073709551612,18446744073709551616]") + b"}", b"", None)):
            with self.subTest(header=header[:80], length=length):
                checkpoints.write_folder(self.folder, self.config, {})
                checkpoints.write_raw(self.file(), header, data, length)
                self.refused_naming("model.safetensors")

    def test_shards_and_their_index(self):
        names = list(self.tensors)
        halves = {"a.safetensors": {n: self.tensors[n] for n in names[::2]}, "b.safetensors": {n: self.tensors[n] for n in names[1::2]}}

        def index(change):
            checkpoints.write_shards(self.folder, self.config, halves)
            with open(self.file("model.safetensors.index.json"), encoding="utf8") as f:
                document = json.load(f)
            change(document["weight_map"])
            with open(self.file("model.safetensors.index.json"), "w", encoding="utf8") as f:
                json.dump(document, f)

        for change, told in ((lambda m: os.remove(self.file("b.safetensors")), ["b.safetensors"]),
                             (lambda m: m.update({names[0]: "b.safetensors"}), [names[0]]),
                             (lambda m: m.update({names[0]: "/etc/passwd"}), [names[0], "/etc/passwd"]),
                             (lambda m: m.update({names[0]: "../model/a.safetensors"}), [names[0]]),
                             (lambda m: m.update({"more": "b.safetensors"}), ["more", "b.safetensors"]),
                             (lambda m: m.update({names[0]: 5}), [names[0]]), (lambda m: m.pop("norm.weight"), ["norm.weight"])):
            with self.subTest(told):
                index(change)
                self.refused_naming(*told)

    def test_configurations(self):
        for key, value, told in (("architectures", ["DeepseekV3ForCausalLM"], "DeepseekV3ForCausalLM"),
                                 ("architectures", ["DeepseekV41ForCausalLM"], "DeepseekV41ForCausalLM"),
                                 ("model_type", "deepseek_v41", "deepseek_v41"), ("compress_ratios", [0, 0, 4], "compress_ratios"),
                                 ("compress_ratios", [0, 0, 2, 128, 4, 0], "compress_ratios"), ("head_dim", 100, "head_dim"),
                                 ("o_groups", 3, "o_groups"), ("num_experts_per_tok", 9, "num_experts_per_tok"),
                                 ("hidden_size", "128", "hidden_size"), ("hidden_size", 10**30, "hidden_size"),
                                 ("num_hash_layers", 6, "num_hash_layers"), ("eos_token_id", 320, "eos_token_id")):
            with self.subTest(key=key, value=value):
                checkpoints.write_folder(self.folder, {**self.config, key: value}, self.tensors)
                self.refused_naming("config.json", told)
        for text in ("", "[]", "\0", '{"a":' * 100_000, json.dumps(self.config)[:-1] + ',"hidden_size":64}'):
            with self.subTest(text[:40]):
                with open(self.file("config.json"), "w", encoding="utf8") as f:
                    f.write(text)
                self.refused_naming("config.json")


if __name__ == "__main__":
    program.main()

"""A program of somebody else: it knows docs/record-format.md, h5py and NumPy, and nothing of the project.

python third_party.py write FILE     writes a record of a small search
python third_party.py verify FILE    prints what is wrong in a record, a line each
python third_party.py follow FILE    prints epochs on disk and the incumbent's error until the record is closed
"""

# ruff: noqa: C901, T201

import hashlib
import json
import sys
import time
import zlib

import h5py
import numpy as np

TABLES = {
    "epochs": ["mirror", "mask", "replay", "mse", "nmse", "accepted", "bench_time", "output", "time"],
    "drift": ["epoch", "output", "error", "level", "offset", "light", "picture", "power", "change", "excess"],
}
FIXED = ["config", "metadata", "input", "target", "washout/input", "test/input", "test/target", "masks/initial"]
KINDS = {"mirror": "i8", "mask": "u1", "replay": "i8", "accepted": "?", "output": "f4", "epoch": "i8"}


def raw(values):
    array = np.asarray(values)
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()


def sha256(value):
    return hashlib.sha256(value if isinstance(value, bytes) else raw(value)).hexdigest()


def with_crc32(value):
    text = json.dumps(value)
    return text[:-1] + f', "crc32": "{zlib.crc32(text.encode()):08x}"' + "}"


def crc32_is_right(text):
    content, _, checksum = text.rpartition(b', "crc32": "')
    return text == b"{}" or checksum == f'{zlib.crc32(content + b"}"):08x}"'.encode() + b"}"


def row_checksums(group, table):
    columns = [group[name][()] for name in TABLES[table]]
    rows = zip(*columns, strict=True)
    return [zlib.crc32(raw(np.int64(k)) + b"".join(map(raw, row))) for k, row in enumerate(rows)]


def errors(target, outputs, gain):
    y = outputs.astype(float)
    y -= y.mean(axis=1, keepdims=True)
    return ((y / gain - target) ** 2).mean(axis=1), ((y / y.std(axis=1, keepdims=True) - target) ** 2).mean(axis=1)


def hashes(file):
    found = {name: sha256(file[name][()]) for name in [*FIXED, "gain"] if name in file}

    def add(name, item):
        if isinstance(item, h5py.Dataset) and name not in found and name != "seal":
            found[name] = sha256(f"{len(item)} rows\n".encode() + raw(item[()]))

    file.visititems(add)
    return found


def write(path):
    rng = np.random.default_rng(1)
    neurons, steps, epochs = 16, 20, 12
    states, gain = rng.standard_normal((steps, neurons)), 2.0
    target = rng.standard_normal(steps)
    target = (target - target.mean()) / target.std()
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        file.attrs["format"], file.attrs["schema_version"] = "labcontrol run", 2
        fixed = {
            "config": json.dumps(
                {
                    "experiment": {"neurons": neurons, "task": {"steps": steps}, "learning": {"loss": "nmse"}},
                    "bench": {},
                }
            ).encode(),
            "input": rng.random(steps),
            "target": target,
            "washout/input": rng.random(5),
            "test/input": np.empty(0),
            "test/target": np.empty(0),
            "masks/initial": rng.random(neurons) < 0.5,
        }
        fixed["metadata"] = with_crc32({"content_sha256": {name: sha256(value) for name, value in fixed.items()}})
        for name in FIXED:
            file[name] = fixed[name]
        file["gain"] = gain

        def growing(name, kind, *row):
            file.create_dataset(name, (0, *row), kind, maxshape=(None, *row), chunks=(64, *row))

        for table, columns in TABLES.items():
            for name in [*columns, "checksum"]:
                row = {"mask": [(neurons + 7) // 8], "output": [steps]}.get(name, [])
                growing(f"{table}/{name}", KINDS.get(name, "u4" if name == "checksum" else "f8"), *row)
        for name in ["state", "preparation", "log", "faults", "prediction", "result", "seal", "checkpoints/bytes"]:
            growing(name, "u1")
        for name in ["checkpoints/start", "checkpoints/end", "checkpoints/epochs"]:
            growing(name, "i8")
        growing("masks/final", "?")
        for name in ["train/output", "test/output"]:
            growing(name, "f4")

        def append(name, values):
            values = np.asarray(values)
            file[name].resize(len(file[name]) + len(values), axis=0)
            file[name][len(file[name]) - len(values) :] = values

        def say(name, value, end="\n"):
            append(name, np.frombuffer((with_crc32(value) + end).encode(), "u1"))

        say("state", {"time": 1.7e9, "state": "running", "reason": "", "epochs": 0})
        incumbent, best = fixed["masks/initial"].copy(), np.inf
        for k in range(epochs):
            mask, mirror = incumbent.copy(), -1
            if k:
                mirror = int(rng.integers(neurons))
                mask[mirror] ^= True
            output = (states @ mask).astype("f4")
            mse, nmse = (float(error[0]) for error in errors(target, output[None], gain))
            accepted = nmse < best
            row = [mirror, np.packbits(mask), k, mse, nmse, accepted, float(k), output, 1.7e9 + k]
            for name, value in zip(TABLES["epochs"], row, strict=True):
                append(f"epochs/{name}", np.asarray(value, KINDS.get(name, "f8"))[None])
            append("epochs/checksum", row_checksums(file["epochs"], "epochs")[-1:])
            if accepted:
                incumbent, best = mask, nmse
        append("masks/final", incumbent)
        say("result", {"epochs": epochs, "gain": gain, "incumbent_error": best}, end="")
        say("state", {"time": 1.7e9 + 99, "state": "finished", "reason": "all done", "epochs": epochs})
        found = hashes(file)
        seal = {"sha256": found, "sha256_of_these": sha256(json.dumps(found).encode())}
        append("seal", np.frombuffer(json.dumps(seal).encode(), "u1"))


def verify(path):
    with h5py.File(path, "r") as file:
        assert file.attrs["format"] == "labcontrol run"
        if len(file["seal"]):
            seal = json.loads(raw(file["seal"][()]))
            if seal["sha256_of_these"] != sha256(json.dumps(seal["sha256"], ensure_ascii=False).encode()):
                yield "seal"
            found = hashes(file)
            yield from (f"{name}: seal" for name, digest in seal["sha256"].items() if found.get(name) != digest)
        for table in TABLES:
            if row_checksums(file[table], table) != file[table]["checksum"][()].tolist():
                yield f"{table}/checksum"
        for name in ["state", "preparation", "log", "faults", "prediction", "result"]:
            if not all(map(crc32_is_right, filter(None, raw(file[name][()]).split(b"\n")))):
                yield f"{name}: crc32"
        metadata, target, gain = json.loads(file["metadata"][()]), file["target"][()], file["gain"][()]
        written = metadata["content_sha256"]
        if len(file["prediction"]):
            written |= json.loads(raw(file["prediction"][()]))["content_sha256"]
            responses = file["pilot/response"][()].astype(float)
            if not np.isclose(gain, np.abs(responses @ target / len(target)).sum() / 4):
                yield "gain"
        yield from (f"{name}: sha256" for name, digest in written.items() if sha256(file[name][()]) != digest)
        mse, nmse = errors(target, file["epochs/output"][()], gain)
        if not (np.allclose(mse, file["epochs/mse"]) and np.allclose(nmse, file["epochs/nmse"])):
            yield "errors"
        accepted = np.flatnonzero(file["epochs/accepted"][()])
        mask = np.unpackbits(file["epochs/mask"][accepted[-1]], count=len(file["masks/initial"])).astype(bool)
        if len(file["masks/final"]) and not np.array_equal(mask, file["masks/final"][()]):
            yield "masks/final"


def follow(path):
    with h5py.File(path, "r", swmr=True) as file:
        while True:
            for name in ["state", "epochs/checksum", "epochs/accepted", "epochs/nmse", "epochs/mse"]:
                file[name].refresh()
            count = min(len(file["epochs/checksum"]), len(file["epochs/accepted"]), len(file["epochs/mse"]))
            accepted = np.flatnonzero(file["epochs/accepted"][:count])
            loss = json.loads(file["config"][()])["experiment"]["learning"]["loss"]
            yield count, file[f"epochs/{loss}"][accepted[-1]] if len(accepted) else np.nan
            *_, last = raw(file["state"][()]).split(b"\n")[:-1]
            if json.loads(last)["state"] != "running":
                return
            time.sleep(0.05)


if __name__ == "__main__":
    command, name = sys.argv[1:]
    if command == "write":
        write(name)
    else:
        for line in {"verify": verify, "follow": follow}[command](name):
            print(*line) if isinstance(line, tuple) else print(line)
    assert "labcontrol" not in sys.modules

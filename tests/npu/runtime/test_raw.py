"""Raw images: what Verilog and C make of them, whatever a model is called."""

import re
import shutil
import subprocess
from functools import cache
from math import prod
from pathlib import Path

import numpy as np
import pytest

from compiler import compile_model, load_model
from npu import zoo
from npu.chip.isa import COMMAND_BYTES
from npu.chip.params import load_params
from npu.chip.weight_format import VERSION
from npu.errors import ImageError
from npu.runtime import raw
from npu.runtime.header import Entry, TensorInfo
from npu.runtime.host_interface import CALL_SHIFT, CALLS, TOKENS
from npu.runtime.image import Image

VECTORS = Path(__file__).parent.parent.parent / "vectors" / "tflite"
TINY = load_params("tiny")
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion")
HOSTILE = (
    "*/ int main(void) {} /*",
    'a"b\\',
    "trailing\\",
    "what??/",
    "line\nbreak\r\0",
    "Ünïcödé 語",
    "-rf",
    "../../up",
    "7segments",
    "_Reserved",
    "",
    "x" * 300,
    "int",
    "stdint",
    "zeroskip",
    "ZEROSKIP_regs",
)


@cache
def transducer() -> Image:
    return compile_model(load_model(zoo.path("commands_rnnt")), TINY)


@cache
def graph() -> Image:
    return compile_model(load_model(VECTORS / "fc_relu.tflite"), TINY)


def renamed(image: Image, **changes) -> Image:
    """The image with another header."""
    return Image(image.header.model_copy(update=changes), image.program, image.memory)


def tensor(name: str, **changes) -> TensorInfo:
    plain = {"name": name, "dtype": "int8", "shape": (2, 3), "n_bytes": 8, "address": 64}
    return TensorInfo(**{**plain, **changes})


@pytest.fixture(params=["gcc", "clang"])
def compiler(request) -> str:
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed (sudo apt-get install {request.param})")
    return request.param


def macros(text: str) -> list[str]:
    return re.findall(r"^#define (\w+) ", text, re.MULTILINE)


def printed(compiler: str, image: Image, folder: Path) -> dict[str, str]:
    """Every macro of the image's header, as a strictly compiled C program prints it."""
    files = raw.raw_files(image)
    (name,) = [name for name in files if name.endswith(".h")]
    (folder / name).write_bytes(files[name])
    lines = []
    for macro in macros(files[name].decode()):
        if macro.endswith("_SHAPE"):
            loop = "for (unsigned i = 0; i < sizeof v / sizeof v[0]; ++i)"
            show = f'{loop} printf(" %u", v[i]); puts("");'
            lines.append(f'{{ const unsigned v[] = {macro}; printf("{macro}"); {show} }}')
        elif macro.endswith("_SYMBOL_NAMES"):
            show = 'for (const char *p = v[i]; *p; ++p) printf("%02x", (unsigned char)*p);'
            loop = (
                f"for (unsigned i = 0; i < sizeof v / sizeof v[0]; ++i) {{ putchar(' '); {show} }}"
            )
            lines.append(
                f'{{ const char *const v[] = {macro}; printf("{macro}"); {loop} puts(""); }}'
            )
        elif macro.endswith("_TYPE"):
            lines.append(f'printf("{macro} %u\\n", (unsigned)sizeof({macro}));')
        elif macro.endswith("_SCALE"):
            lines.append(f'printf("{macro} %.17g\\n", {macro});')
        else:
            lines.append(f'printf("{macro} %lld\\n", (long long){macro});')
    body = "\n    ".join(lines)
    source = f'#include <stdint.h>\n#include <stdio.h>\n#include "{name}"\n#include "{name}"\n'
    source += f"int main(void)\n{{\n    {body}\n    return 0;\n}}\n"
    (folder / "main.c").write_text(source)
    command = [compiler, *STRICT, "-I.", "main.c", "-o", "main"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr
    out = subprocess.run([folder / "main"], capture_output=True, text=True, check=True).stdout
    found = dict((line + " ").split(" ", 1) for line in out.splitlines())
    return {name: value.strip() for name, value in found.items()}


def of_tensor(name: str, info: TensorInfo) -> dict[str, str]:
    size = np.dtype(info.memory_dtype).itemsize
    values = {
        "ADDRESS": info.address,
        "BYTES": size * prod(info.shape),
        "SPACE": info.n_bytes,
        "TYPE": size,
        "ELEMENTS": prod(info.shape),
        "RANK": len(info.shape),
    }
    if info.shape:
        values["SHAPE"] = " ".join(map(str, info.shape))
    if info.scale is not None:
        values |= {"SCALE": f"{info.scale:.17g}", "ZERO_POINT": info.zero_point}
    if info.index_limit is not None:
        values["INDEX_LIMIT"] = info.index_limit
    return {f"{name}_{key}": str(value) for key, value in values.items()}


def wanted(image: Image) -> dict[str, str]:
    """What the header must say, from the image."""
    header, params = image.header, image.params
    prefix = raw.identifier(header.model).upper()
    at = -(-header.memory_bytes // params.bus_bytes) * params.bus_bytes
    size = -(-len(image.program) // params.bus_bytes) * params.bus_bytes
    values = {
        "VERSION": VERSION,
        "PARAMETERS": params.fingerprint,
        "BUS_BYTES": params.bus_bytes,
        "RAW_BYTES": at + size,
        "CONSTANT_BYTES": len(image.memory),
        "MEMORY_BYTES": header.memory_bytes,
        "PROGRAM_ADDRESS": at,
        "PROGRAM_BYTES": size,
        "PROGRAM_COMMANDS": len(image.program) // COMMAND_BYTES,
    }
    found = {f"{prefix}_{key}": str(value) for key, value in values.items()}
    for entry in header.entries:
        name = f"{prefix}_{entry.name.upper()}"
        counts = {"PC": entry.pc, "INPUTS": len(entry.inputs), "OUTPUTS": len(entry.outputs)}
        found |= {f"{name}_{key}": str(value) for key, value in counts.items()}
        for way, infos in (("INPUT", entry.inputs), ("OUTPUT", entry.outputs)):
            for index, info in enumerate(infos):
                found |= of_tensor(f"{name}_{way}{index}", info)
        if entry.loop is not None:
            info = header.transducer
            loop = {
                "LOOP_CALLS": entry.loop.calls,
                "CALLS_REGISTER": CALLS,
                "TOKENS_REGISTER": TOKENS,
                "TOKENS_ADDRESS": entry.loop.tokens_address,
                "CALL_SHIFT": CALL_SHIFT,
                "FRAMES_PER_CALL": info.frames_out,
                "SYMBOLS_PER_CALL": info.frames_out * info.max_symbols_per_frame,
                "SYMBOLS": len(info.tokens),
                "BLANK": info.blank,
                "SYMBOL_NAMES": " ".join(token.encode().hex() for token in info.tokens),
            }
            found |= {f"{name}_{key}": str(value) for key, value in loop.items()}
    return found


@pytest.mark.parametrize("made", [transducer, graph])
def test_c_reads_what_the_image_says(compiler, made, tmp_path):
    assert printed(compiler, made(), tmp_path) == wanted(made())


def test_cycles_stand_beside_the_entries(compiler, tmp_path, monkeypatch):
    image = graph()
    plain = raw.raw_files(image)
    cycles = {"boot": 70, "invoke": 123_456, "of nobody": 5}
    made = raw.raw_files(image, cycles)
    monkeypatch.setattr(raw, "raw_files", lambda image: made)
    found = printed(compiler, image, tmp_path)
    prefix = raw.identifier(image.header.model).upper()
    assert found == wanted(image) | {
        f"{prefix}_BOOT_CYCLES": "70",
        f"{prefix}_INVOKE_CYCLES": "123456",
    }
    assert {name for name in made if made[name] != plain[name]} == {f"{prefix.lower()}.h"}


def test_tensors_of_every_type_and_rank(compiler, tmp_path):
    inputs = tuple(
        tensor(dtype, dtype=dtype, n_bytes=64, shape=shape)
        for dtype, shape in {
            "int8": (),
            "uint8": (1,),
            "bool": (3,),
            "int16": (2, 2),
            "int32": (1, 1, 1, 1, 2),
            "int64": (2,),
            "float32": (4,),
        }.items()
    )
    outputs = (
        tensor("real", dtype="float32", stored="int16", scale=1e-45, zero_point=-32768),
        tensor("index", dtype="int32", shape=(1,), index_limit=2**26),
        tensor("huge", scale=3.4e38, zero_point=127),
    )
    entries = (Entry(name="boot", pc=0), Entry(name="invoke", pc=1, inputs=inputs, outputs=outputs))
    image = renamed(graph(), entries=entries)
    assert printed(compiler, image, tmp_path) == wanted(image)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(compiler, name, tmp_path):
    """Of the model, of entries, tensors and symbols; it compiles, and means what it did."""
    image = transducer()
    info = image.header.transducer.model_copy(update={"tokens": (name, "b")})
    boot, reset, frames = image.header.entries
    ring = frames.inputs[0].model_copy(update={"name": name})
    entries = (
        boot,
        reset,
        frames.model_copy(update={"inputs": (ring,)}),
        Entry(name=name, pc=3, inputs=(tensor(name),)),
        Entry(name=f"{name}!", pc=4),
        Entry(name=f"{name}?", pc=5),
    )
    hostile = renamed(image, model=name, entries=entries, transducer=info)
    files = raw.raw_files(hostile)
    for file in files:
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,60}\.(bin|hex|h)", file)
        assert not re.fullmatch(r"(zeroskip.*|std.*)\.h", file)
    text = files[next(file for file in files if file.endswith(".h"))].decode("ascii")
    assert len(set(macros(text))) == len(macros(text))
    found = printed(compiler, hostile, tmp_path)
    assert {"3", "4", "5"} <= {value for key, value in found.items() if key.endswith("_PC")}
    (names,) = [value for key, value in found.items() if key.endswith("_SYMBOL_NAMES")]
    # A string of C ends at its first zero byte.
    assert names.split()[-1] == "62"
    assert names.removesuffix("62").strip() == name.partition("\0")[0].encode().hex()


def test_the_bytes_are_the_image_with_the_program_behind_it():
    image = transducer()
    content = raw.raw_files(image)["commands_rnnt.bin"]
    at = raw.program_address(image)
    assert content[: len(image.memory)] == image.memory.tobytes()
    assert not any(content[len(image.memory) : at])
    assert at >= image.header.memory_bytes and at % TINY.bus_bytes == 0
    assert content[at:].rstrip(b"\0") == image.program.rstrip(b"\0")
    assert len(content) % TINY.bus_bytes == 0


@pytest.mark.skipif(
    shutil.which("iverilog") is None,
    reason="Icarus Verilog (iverilog) is not installed (sudo apt-get install iverilog)",
)
@pytest.mark.parametrize("bus_bytes", [4, 8, 64])
def test_verilog_reads_the_words(tmp_path, bus_bytes):
    content = np.random.default_rng(bus_bytes).integers(0, 256, 64 * 40, np.uint8).tobytes()
    words = len(content) // bus_bytes
    (tmp_path / "made.hex").write_bytes(raw.hex_words(content, bus_bytes))
    (tmp_path / "bench.v").write_text(
        f"""module bench;
  reg [{8 * bus_bytes - 1}:0] memory [0:{words - 1}];
  integer word, lane;
  initial begin
    $readmemh("made.hex", memory);
    for (word = 0; word < {words}; word = word + 1)
      for (lane = 0; lane < {bus_bytes}; lane = lane + 1)
        $write("%02x", memory[word][8 * lane +: 8]);
  end
endmodule
"""
    )
    build = ["iverilog", "-g2005", "-Wall", "-o", "bench", "bench.v"]
    subprocess.run(build, cwd=tmp_path, check=True, capture_output=True)
    run = ["vvp", "-n", "bench"]
    done = subprocess.run(run, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == content.hex()


def test_a_memory_without_room_for_the_program_is_told():
    image = transducer()
    least = len(raw.raw_bytes(image))
    for size in (least - TINY.bus_bytes, image.header.memory_bytes):
        chip = image.params.model_copy(update={"memory_bytes": size}).model_dump(mode="json")
        with pytest.raises(ImageError, match=r"does not fit behind .* give it more"):
            raw.raw_files(renamed(image, chip=chip))

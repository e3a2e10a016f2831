#!/usr/bin/env python3
"""Shows the sample digits and what the command reads in them: scripts/demo.py COMMAND

Draws each image as text, then prints the classes that `dlrt run` ranks highest. Exits with 1 when a digit is misread.
"""
import json
import pathlib
import struct
import subprocess
import sys
import time
import zlib

SAMPLE = pathlib.Path(__file__).resolve().parent.parent / "samples" / "digits"
COLUMNS, ROWS = 16, 8
SHADES = " .:-=+*#%@"


def read_png(path):
    """Rows of an 8-bit grey PNG: enough for the sample images."""
    data, position, packed, width = path.read_bytes(), 8, b"", 0
    while position < len(data):
        length, kind = struct.unpack(">I4s", data[position:position + 8])
        body = data[position + 8:position + 8 + length]
        position += 12 + length
        if kind == b"IHDR":
            width = struct.unpack(">I", body[:4])[0]
        elif kind == b"IDAT":
            packed += body
    plain, rows, above = zlib.decompress(packed), [], [0] * width
    for start in range(0, len(plain), width + 1):
        method, row = plain[start], list(plain[start + 1:start + 1 + width])
        for x in range(width):
            left, up, corner = (row[x - 1], above[x], above[x - 1]) if x else (0, above[0], 0)
            estimate = left + up - corner
            nearest = min((left, up, corner), key=lambda value: abs(estimate - value))
            row[x] = (row[x] + (0, left, up, (left + up) // 2, nearest)[method]) % 256
        rows.append(row)
        above = row
    return rows


def drawing(rows):
    """The image as lines of text, each character the mean of a patch of pixels."""
    height, width = len(rows) // ROWS, len(rows[0]) // COLUMNS
    lines = []
    for y in range(ROWS):
        line = ""
        for x in range(COLUMNS):
            patch = [v for row in rows[y * height:(y + 1) * height] for v in row[x * width:(x + 1) * width]]
            line += SHADES[sum(patch) * len(SHADES) // (256 * len(patch))]
        lines.append(line)
    return lines


def main():
    command = sys.argv[1]
    model = SAMPLE / "digits.onnx"
    images = sorted((SAMPLE / "images").glob("*.png"))
    print(f"{model.relative_to(SAMPLE.parent.parent)}, ten images it has not been trained on:\n")
    columns, right, spent = [], 0, 0.0
    for image in images:
        arguments = [command, "run", str(model), "--input", str(image), "--top", "3"]
        start = time.perf_counter()
        answer = subprocess.run([*arguments, "--json"], check=True, capture_output=True, text=True)
        spent += time.perf_counter() - start
        top = json.loads(answer.stdout)["outputs"][0]["top"]
        is_right = top[0]["label"] == image.stem
        right += is_right
        column = drawing(read_png(image)) + [""]
        for rank, entry in enumerate(top):
            mark = "->" if rank == 0 else "  "
            column.append(f"{mark} {entry['label']}  {entry['value']:8.3%}")
        columns.append(column)
    for start in range(0, len(columns), 5):
        for parts in zip(*columns[start:start + 5]):
            print("  ".join(part.ljust(COLUMNS + 2) for part in parts).rstrip())
        print()
    each = spent / len(images) * 1e3
    print(f"{right} of {len(images)} right; {each:.1f} ms each, for a process, a model, an image and a run.")
    print("\nOne of them by hand:\n")
    print(f"  {command} run samples/digits/digits.onnx --input samples/digits/images/7.png")
    return 0 if right == len(images) else 1


if __name__ == "__main__":
    sys.exit(main())

"""Summarises the rounds of measurements as one Markdown table.

    python compare.py [--json FILE] [--program VERSION] FOLDER

FOLDER contains `program-N.json`, `assembled-N.json` and, if Node is installed, `face-api-N.json` for each
round N, and folders `mix-N` with a `name` and such files of any pictures, for a second table. Times are medians over the rounds. A ratio is the peer's time divided by this program's in the
same round, since a disturbance affects both; its median, minimum and maximum over the rounds are printed.
Above 1 this program is faster.
"""

import argparse
import json
import pathlib
import platform
import statistics

# CPU features by which kernels are chosen, on x86 and Arm.
INSTRUCTIONS = ("sse4_2", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "amx_int8",
                "asimd", "asimddp", "i8mm", "bf16", "sve")


def name(photo):
    return pathlib.Path(photo["file"]).name


def whole(pipeline):
    return pipeline["milliseconds"]["whole"] if pipeline["faces"] else None


def times(program, assembled, face_api):
    """One round → {row: {column: milliseconds}}, None where no face was found."""
    rows = {}
    for photo in program["photos"]:
        path = photo["milliseconds"]["path"]["median"]
        row = {"program": path if photo["faces"] else None}
        rows[f"{name(photo)}, {photo['width']}×{photo['height']}"] = row
        for other in filter(lambda other: name(other) == name(photo), assembled["photos"]):
            row |= {column: whole(pipeline) for column, pipeline in other["ways"].items()}
        for other in filter(lambda other: name(other) == name(photo), face_api["photos"]):
            row["face-api"] = other["milliseconds"]["detect"] if other["faces"] else None
    for ours in program["forward"]:
        for theirs in filter(lambda theirs: theirs["batch"] == ours["batch"], assembled["forward"]):
            time = theirs["milliseconds"]["median"]
            rows[f"network alone, batch {ours['batch']}"] = {
                "program": ours["milliseconds"]["median"], "opencv": time, "onnxruntime": time}
    return rows


def summary(rounds):
    """Rows of the rounds → {row: {column: {milliseconds, ratio, ratio_least, ratio_greatest}}}."""
    table = {}
    for row, columns in rounds[0].items():
        table[row] = {}
        for column in columns:
            pairs = [(one[row].get(column), one[row]["program"]) for one in rounds if row in one]
            pairs = [(time, ours) for time, ours in pairs if time and ours]
            if pairs:
                ratios = [time / ours for time, ours in pairs]
                table[row][column] = {
                    "milliseconds": statistics.median(time for time, _ in pairs), "ratio": statistics.median(ratios),
                    "ratio_least": min(ratios), "ratio_greatest": max(ratios)}
    return table


def mix_times(program, assembled):
    """One round over a folder → {column: (median, 95th percentile, sum of milliseconds, faces)}."""
    columns = {"program": [(photo["milliseconds"]["path"]["median"], photo["faces"]) for photo in program["photos"]]}
    for photo in assembled["photos"]:
        for column, pipeline in photo["ways"].items():
            columns.setdefault(column, []).append((pipeline["milliseconds"]["whole"], pipeline["faces"]))
    return {column: (statistics.median(time for time, _ in photos), statistics.quantiles([time for time, _ in photos], n=20)[-1],
                     sum(time for time, _ in photos), sum(faces for _, faces in photos)) for column, photos in columns.items()}


def print_mix(folder, titles):
    """A line for the folder: median, 95th percentile and faces of this program; of the others the ratio of the sums as well."""
    rounds = [mix_times(*(json.loads((folder / f"{peer}-{number}.json").read_text(encoding="utf-8")) for peer in ("program", "assembled")))
              for number in range(1, 1 + len(list(folder.glob("program-*.json"))))]
    cells = []
    for column in ("program", *(title for title in titles if title in rounds[0])):
        middle, late = (statistics.median(one[column][at] for one in rounds) for at in (0, 1))
        text = f"{middle:.1f} ms, {late:.1f}"
        if column != "program":
            ratios = [one[column][2] / one["program"][2] for one in rounds]
            text += f", **{statistics.median(ratios):.2f}** ({min(ratios):.2f} to {max(ratios):.2f})"
        cells.append(f"{text}; {rounds[0][column][3]} faces")
    print(f"| {(folder / 'name').read_text(encoding='utf-8').strip()} |", " | ".join(cells), "|")


def merged(rounds):
    """Merges documents of one shape, each number being the median."""
    first = rounds[0]
    if isinstance(first, dict):
        return {key: merged([one[key] for one in rounds if key in one]) for key in first}
    if isinstance(first, list):
        return [merged(list(items)) for items in zip(*rounds)]
    return statistics.median(rounds) if isinstance(first, (int, float)) and not isinstance(first, bool) else first


def machine():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = (fields.get("flags") or fields.get("Features") or "").split()
    return {"cpu": fields.get("model name") or platform.processor() or platform.machine(),
            "architecture": platform.machine(), "instructions": [flag for flag in INSTRUCTIONS if flag in flags]}


def cell(entry):
    if entry is None:
        return "–"
    return (f"{entry['milliseconds']:.1f} ms, **{entry['ratio']:.2f}** "
            f"({entry['ratio_least']:.2f} to {entry['ratio_greatest']:.2f})")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", metavar="FILE", type=pathlib.Path)
    parser.add_argument("--program", metavar="VERSION", default="")
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()

    def documents(peer):
        files = sorted(arguments.folder.glob(f"{peer}-*.json"))
        return [json.loads(file.read_text(encoding="utf-8")) for file in files]

    program, assembled = documents("program"), documents("assembled")
    face_api = documents("face-api") or [{"photos": []}] * len(program)
    table = summary([times(*documents) for documents in zip(program, assembled, face_api)])
    versions = assembled[0]["versions"] | face_api[0].get("versions", {})
    hardware = machine()
    titles = {"opencv": "OpenCV with YuNet, ONNX Runtime", "onnxruntime": "YuNet in ONNX Runtime too",
              "reduced": "the same, decoded smaller", "face-api": "face-api, decoding left out"}
    titles = {column: title for column, title in titles.items() if any(column in row for row in table.values())}
    print("| one thread | faceguesser |", " | ".join(titles.values()), "|")
    print("|" + "---|" * (2 + len(titles)))
    for row, columns in table.items():
        ours = f"{columns['program']['milliseconds']:.1f} ms" if "program" in columns else "no face"
        print(f"| {row} | {ours} |", " | ".join(cell(columns.get(column)) for column in titles), "|")
    mixes = sorted(arguments.folder.glob("mix-*"))
    if mixes:
        columns = [title for title in titles if title != "face-api"]
        print("\n| one thread, median and 95th percentile of a folder's pictures | faceguesser |", " | ".join(titles[column] for column in columns), "|")
        print("|" + "---|" * (2 + len(columns)))
        for mix in mixes:
            print_mix(mix, columns)
    print(f"\nMilliseconds are medians of {len(program)} rounds; bold is the time over faceguesser's, with its range "
          "over the rounds; of a folder, over the sum of its pictures' times.")
    print(f"One core of {hardware['cpu']} ({hardware['architecture']}: "
          f"{', '.join(hardware['instructions'])}).")
    print(", ".join(filter(None, [arguments.program, *(f"{key} {value}" for key, value in versions.items())])) + ".")
    if arguments.json:
        measured = {"program": merged(program), "assembled": merged(assembled), "face-api": merged(face_api)}
        document = {"machine": hardware, "program": arguments.program, "versions": versions, "rounds": len(program),
                    "table": table, "measured": measured}
        arguments.json.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

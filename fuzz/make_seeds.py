"""Writes the seed corpus, small valid files: python3 fuzz/make_seeds.py (Pillow, any version with WebP).

The files are committed in seeds/TARGET/, so that fuzzing and tests need no Python. Those named
`regression-…` once broke a property and are not written by this script.
"""

import io
import json
import struct
import zlib
from pathlib import Path

from PIL import Image, ImageDraw

SEEDS = Path(__file__).parent / "seeds"


def picture(width, height, mode="RGB"):
    """A smooth gradient with hard edges and a little noise."""
    image = Image.new("RGB", (width, height))
    state = 1
    for y in range(height):
        for x in range(width):
            state = (state * 1664525 + 1013904223) % 2**32
            noise = (state >> 24) // 12 if x > y else 0
            image.putpixel((x, y), (min(255, x * 200 // width + noise), y * 220 // height, 90 + noise))
    ImageDraw.Draw(image).ellipse((width // 4, height // 4, width * 3 // 4, height * 3 // 4), fill=(240, 200, 160))
    return image.convert(mode)


def saved(image, form, **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def exif(value, kind=3, order="<"):
    """A TIFF structure with a maker's name and the orientation."""
    field = {1: struct.pack(order + "Bxxx", value), 3: struct.pack(order + "Hxx", value), 4: struct.pack(order + "I", value)}
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    entries = struct.pack(order + "HHI", 0x010F, 2, 4) + b"cam\0" + struct.pack(order + "HHI", 0x0112, kind, 1) + field[kind]
    return head + struct.pack(order + "H", 2) + entries + b"\0\0\0\0"


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


def png_chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, depth, colour, interlaced=False, extra=(), zeros=False):
    """A PNG of any colour type and depth, some of which Pillow cannot write."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    rows = b""
    for index, (left, top, across, down) in enumerate(passes if interlaced else [(0, 0, 1, 1)]):
        columns = len(range(left, width, across))
        for y in range(top, height, down) if columns else ():
            bits = columns * channels * depth
            line = bytes(0 if zeros else (x * 37 + y * 11 + index) % 256 for x in range((bits + 7) // 8))
            rows += bytes([(y + index) % 5]) + line
    data = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))
    for name, body in extra:
        data += png_chunk(name, body)
    if colour == 3:
        data += png_chunk(b"PLTE", bytes((i * 7) % 256 for i in range(3 * min(2**depth, 64))))
        data += png_chunk(b"tRNS", bytes(range(min(2**depth, 16))))
    return data + png_chunk(b"IDAT", zlib.compress(rows, 9)) + png_chunk(b"IEND", b"")


def frames_of(count, width=16, height=12, mode="RGB"):
    frames = [picture(width, height, mode)]
    for index in range(1, count):
        frame = frames[0].copy()
        ImageDraw.Draw(frame).rectangle((index, index, index + 4, index + 3), fill=0 if mode in "LP" else (9, 9, index * 40))
        frames.append(frame)
    return frames


def riff(*chunks):
    body = b"WEBP" + b"".join(name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_chunk(file, name):
    """The data of one chunk of a WebP."""
    at = file.index(name) + 4
    return file[at + 4 : at + 4 + struct.unpack("<I", file[at : at + 4])[0]]


def jpegs():
    small = picture(24, 17)
    for sampling in ("4:4:4", "4:2:2", "4:2:0", "4:1:1"):
        for progressive in (False, True):
            name = f"{sampling.replace(':', '')}-{'progressive' if progressive else 'baseline'}"
            yield name, saved(small, "JPEG", quality=60, subsampling=sampling, progressive=progressive)
    yield "grey", saved(picture(16, 16, "L"), "JPEG", quality=50)
    yield "grey-progressive", saved(picture(20, 9, "L"), "JPEG", quality=95, progressive=True)
    yield "optimised", saved(picture(32, 32), "JPEG", quality=30, optimize=True)
    yield "restarts", saved(picture(40, 24), "JPEG", quality=40, restart_marker_blocks=2)
    yield "restarts-progressive", saved(picture(40, 24), "JPEG", quality=40, progressive=True, restart_marker_blocks=3)
    yield "pixel", saved(picture(1, 1), "JPEG", quality=20)
    yield "fine", saved(picture(8, 8), "JPEG", quality=100, subsampling="4:4:4")
    turned = saved(small, "JPEG", quality=40, exif=b"Exif\0\0" + exif(6), optimize=True)
    yield "turned", turned
    yield "no-end", saved(small, "JPEG", quality=30, optimize=True)[:-2]


def other_jpegs():
    """Kinds that are left to the fallback decoder, or that neither decoder supports."""
    yield "cmyk", saved(picture(16, 8, "CMYK"), "JPEG", quality=40, optimize=True)
    rgb = saved(picture(16, 8), "JPEG", quality=40, subsampling="4:4:4", optimize=True)
    adobe = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0"
    yield "adobe-rgb", rgb[:2] + adobe + rgb[2:]
    plain = saved(picture(16, 8), "JPEG", quality=40, optimize=True)
    frame = plain.index(b"\xff\xc0")
    yield "arithmetic", plain[: frame + 1] + b"\xc9" + plain[frame + 2 :]
    yield "lossless", plain[: frame + 1] + b"\xc3" + plain[frame + 2 :]
    yield "twelve-bits", plain[: frame + 4] + b"\x0c" + plain[frame + 5 :]
    yield "coarse-luma", plain[: frame + 11] + b"\x11\0\x02\x22" + plain[frame + 15 :]
    xmp = b"http://ns.adobe.com/xap/1.0/\0" + XMP
    yield "xmp", plain[:2] + b"\xff\xe1" + struct.pack(">H", len(xmp) + 2) + xmp + plain[2:]
    yield "two-pictures", plain + plain
    yield "progressive-damaged", saved(picture(16, 16), "JPEG", quality=40, progressive=True, subsampling="4:4:4")[:-40]


def pngs():
    for colour, depths in {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}.items():
        for depth in depths:
            yield f"colour{colour}-{depth}", png(11, 7, depth, colour)
            yield f"colour{colour}-{depth}-interlaced", png(9, 10, depth, colour, interlaced=True)
    yield "exif", png(8, 8, 8, 2, extra=[(b"eXIf", exif(8, order=">"))])
    yield "xmp", png(8, 8, 8, 0, extra=[(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)])
    yield "xmp-compressed", png(8, 8, 8, 0, extra=[(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(XMP))])
    bomb = zlib.compress(b"\0" * 900_000, 9)
    yield "profile", png(4, 4, 8, 2, extra=[(b"iCCP", b"p\0\0" + bomb)])
    yield "text", png(4, 4, 8, 2, extra=[(b"zTXt", b"t\0\0" + bomb)])
    yield "wide", png(250, 200, 1, 0, zeros=True)


def gifs():
    yield "palette", saved(picture(20, 13, "P"), "GIF")
    yield "two-colours", saved(picture(12, 8).convert("1"), "GIF", interlace=0)
    yield "interlaced", saved(picture(16, 19, "L").quantize(8), "GIF", interlace=1)
    yield "transparent", saved(picture(9, 9, "L").quantize(4), "GIF", transparency=1)
    # A frame that begins and ends outside the screen.
    small = saved(picture(6, 5, "L").quantize(4), "GIF", interlace=0)
    at = small.index(b"\x2c")
    yield "offset", small[: at + 1] + struct.pack("<HH", 3, 4) + small[at + 5 :]
    yield "no-screen", small[:6] + b"\0\0\0\0" + small[10:]


def animated_gifs():
    yield "three-frames", saved(frames_of(3, mode="P")[0], "GIF", save_all=True, append_images=frames_of(3, mode="P")[1:], duration=50)
    for disposal in (1, 2, 3):
        frames = [frame.quantize(8) for frame in frames_of(3, mode="L")]
        yield f"disposal-{disposal}", saved(frames[0], "GIF", save_all=True, append_images=frames[1:], disposal=disposal, loop=0)


def webps():
    yield "lossy", saved(picture(24, 17), "WEBP", quality=40)
    yield "lossy-fine", saved(picture(17, 20), "WEBP", quality=95)
    yield "lossless", saved(picture(13, 11), "WEBP", lossless=True, quality=100)
    yield "lossless-palette", saved(picture(20, 20, "L").quantize(4).convert("RGB"), "WEBP", lossless=True)
    clear = picture(20, 12, "RGBA")
    clear.putalpha(picture(20, 12, "L"))
    yield "alpha", saved(clear, "WEBP", quality=50)
    yield "alpha-lossless", saved(clear, "WEBP", lossless=True)
    yield "turned", saved(picture(16, 8), "WEBP", quality=20, exif=b"Exif\0\0" + exif(6), xmp=XMP)
    grey = saved(picture(16, 16, "L"), "WEBP", quality=1)
    yield "coarse", grey
    # Canvases larger and smaller than the picture.
    for name, side in (("larger-canvas", 99), ("smaller-canvas", 3)):
        canvas = b"\0\0\0\0" + struct.pack("<I", side)[:3] * 2
        yield name, riff((b"VP8X", canvas), (b"VP8 ", webp_chunk(grey, b"VP8 ")))


def animated_webps():
    for name, options in {"moving": {"quality": 20}, "moving-lossless": {"lossless": True}}.items():
        frames = frames_of(3)
        yield name, saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=40, **options)
    frames = frames_of(2)
    for frame in frames:
        frame.putalpha(frame.convert("L"))
    yield "moving-clear", saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=40, quality=20)


def animated_pngs():
    for disposal in (0, 1, 2):
        frames = frames_of(3)
        options = {"save_all": True, "append_images": frames[1:], "disposal": disposal, "blend": disposal % 2}
        yield f"moving-{disposal}", saved(frames[0], "PNG", **options)
    grey = frames_of(3, mode="L")
    yield "moving-grey", saved(grey[0], "PNG", save_all=True, append_images=grey[1:], default_image=True)


def others():
    yield "heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
    yield "avif", b"\0\0\0\x1cftypavif\0\0\0\0mif1avifmiaf"
    yield "video", b"\0\0\0\x18ftypisom\0\0\0\0isommp41"
    yield "tiff", exif(6, order=">")
    yield "dng", b"II*\0\x08\0\0\0\x12\xc6\x01\0\x04\0\0\0\x01\4\0\0"
    yield "nikon", b"MM\0*\0\0\0\x08NIKON CORPORATION"
    yield "svg", b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>'
    yield "html", b"<!doctype html><html><body>404</body></html>"
    yield "text", "žluťoučký kůň".encode()
    yield "pdf", b"%PDF-1.7\n"
    yield "iphone-png", b"\x89PNG\r\n\x1a\n\0\0\0\x04CgBI\x50\0\x20\x06\x2b\xd5\xb3\x7f\0\0\0\x0dIHDR"


def heics():
    for file in sorted((Path(__file__).parent.parent / "vision/src/photo/heic").glob("*.heic")):
        yield file.stem, file.read_bytes()


def metadata():
    for order in "<>":
        for kind in (1, 3, 4):
            block = exif(kind + 3, kind, order)
            yield f"orientation-{'little' if order == '<' else 'big'}-{kind}", bytes([len(block)]) + block + XMP
    yield "element", b"\0<tiff:Orientation> 3</tiff:Orientation>"
    yield "named", bytes([40]) + b"Exif\0\0" + exif(8)


def settings():
    yield "web", b'[web]\nenabled = true\nlisten = "127.0.0.1:9000"\n'
    yield "limits", b'[limits]\nphoto_bytes = "5 MiB"\nphoto_pixels = 50_000_000\ndownload_timeout = "20s"\nphoto_memory = "64 MiB"\ndecode_memory = "96 MiB"\nfaces = 32\n'
    yield "bots", b'[discord]\ntoken = "a.b.c"\nchannels = [11, 22]\nmessage_content = true\napi_base = "https://discord.com"\ngateway = ""\nfile_hosts = ["https://cdn.discordapp.com"]\n[telegram]\ntoken = "1:a"\nwebhook_url = "https://bot.example/hook"\nwebhook_listen = "[::1]:1"\nwebhook_secret = "s"\n'
    yield "guess", b'guess.confident = 0.5\nguess.gender = "always"\nguess.gender_sure = 0.9\nguess.smile = "sure"\ninference.device = "cpu"\ninference.workers = 2\ninference.queue = 8\ninference.deadline = "1min 2s"\ninference.grace = "5s"\n'
    yield "rest", b'[fair_use]\nperson_burst = 3\nperson_every = "10s"\nchat_burst = 9\nchat_every = "1s"\n[store]\npath = ":memory:"\n[models]\nestimator = "x"\n[log]\nlevel = "info"\nformat = "json"\n'


def commands():
    texts = ["/guess", "/game@guess_bot 34", "how old am I? /guess, please", "@guess_bot", "/auto on", "/language pt-BR",
             "/language čeština", "/gender sure", "/optout", "/forget", "/scores", "/start x", "(/guess)", "https://a.b/guess",
             "de-AT,de;q=0.9,en;q=0.8", "日本語", "/privacy", "/settings", "me@guess_bot /guess@other_bot"]
    for index, text in enumerate(texts):
        yield f"text{index}", text.encode()


def buttons():
    codes = ["see", "crop:0:10000:4321", "anyway", "delete:-9223372036854775808", "set:auto", "set:private", "set:gender",
             "set:language", "guess:9223372036854775807:100", "reveal:7", "crop:65535:65535:65535", "crop:1:1:1", "set:smile"]
    for index, code in enumerate(codes):
        yield f"code{index}", code.encode()


def events():
    author = {"id": "3", "username": "a_b", "global_name": "*A*", "bot": False}
    file = {"id": "4", "url": "https://cdn.example/a.png?ex=1", "filename": "SPOILER_a.png", "content_type": "image/png", "width": 9, "flags": 8}
    base = {"id": "1", "channel_id": "2", "author": author, "type": 0, "content": "<@5> how old? ||x||"}
    yield "attachment", base | {"guild_id": "9", "mentions": [{"id": "5"}], "attachments": [file]}
    yield "reply", base | {"type": 19, "message_reference": {"channel_id": "2", "message_id": "8"}, "referenced_message": base | {"attachments": [file]}}
    yield "embeds", base | {"embeds": [{"image": {"proxy_url": "https://a.b/z"}}, {"thumbnail": {"proxy_url": "https://a.b/y"}}], "webhook_id": None}
    media = {"url": "https://cdn.example/6.png", "proxy_url": "https://p.example/6.png", "attachment_id": "6", "content_type": "image/png"}
    parts = [{"type": 17, "spoiler": True, "components": [{"type": 9, "accessory": {"type": 11, "media": media}}]}, {"type": 12, "items": [{"media": media}]}, {"type": 13, "file": media}]
    yield "components", base | {"flags": 32768, "components": parts}
    yield "forwarded", base | {"message_snapshots": [{"message": {"content": "", "attachments": [file]}}]}
    member = {"user": author, "nick": "[n](http://x)", "permissions": "32"}
    command = {"id": "7", "application_id": "5", "token": "t", "type": 2, "channel_id": "2", "guild_id": "9", "locale": "pt-BR", "member": member}
    yield "command", command | {"data": {"name": "guess", "resolved": {"attachments": {"4": file}}, "options": [{"name": "age", "value": 30}]}}
    yield "menu", command | {"channel": {"id": "2", "type": 11, "parent_id": "8"}, "data": {"name": "Guess age", "resolved": {"messages": {"1": base}}}}
    reply = base | {"flags": 64, "message_reference": {"message_id": "8"}, "embeds": [{"image": {"url": "https://cdn.example/b.jpg"}}]}
    person = {"target_id": "6", "type": 2, "name": "Guess age", "resolved": {"users": {"6": {"id": "6", "avatar": "a_0f"}}, "members": {"6": {"avatar": None}}}}
    yield "person", command | {"context": 2, "authorizing_integration_owners": {"1": "3"}, "data": person}
    yield "press", command | {"type": 3, "data": {"custom_id": "crop:1:2:300"}, "message": reply}
    yield "frame", {"op": 0, "t": "MESSAGE_CREATE", "s": 3, "d": base}


def updates():
    chat, sender = {"id": -7, "type": "supergroup"}, {"id": 3, "is_bot": False, "first_name": "A", "last_name": "B", "language_code": "de"}
    photo = [{"file_id": "f", "width": 90, "height": 90, "file_size": 1000}, {"file_id": "g", "width": 9, "height": 9}]
    base = {"message_id": 5, "date": 1, "chat": chat, "from": sender}
    messages = {
        "photo": {"photo": photo, "caption": "/guess", "caption_entities": [{"type": "bot_command"}], "media_group_id": "1", "has_media_spoiler": True},
        "private": {"chat": {"id": 3, "type": "private"}, "text": "/language de"},
        "document": {"document": {"file_id": "f", "mime_type": "image/png", "file_size": 5000000000}, "caption": "@guess_bot"},
        "reply": {"text": "/game 30", "reply_to_message": base | {"photo": photo}, "message_thread_id": 4, "is_topic_message": True},
        "quoted": {"text": "/guess", "external_reply": {"photo": photo, "origin": {"sender_user": {"id": 8}}}, "sender_chat": {"id": -7}},
        "paid": {"paid_media": {"star_count": 1, "paid_media": [{"type": "photo", "photo": photo}]}, "has_protected_content": True},
        "rich": {"rich_message": {"blocks": [{"type": "list", "items": [{"blocks": [{"photo": photo, "has_spoiler": True}]}]}]}},
        "live": {"live_photo": {"file_id": "v", "photo": photo}, "direct_messages_topic": {"topic_id": 2}, "entities": [{"type": "text_mention", "user": {"id": 42}}]},
        "moved": {"migrate_to_chat_id": -100},
    }
    for name, content in messages.items():
        yield name, {"update_id": 1, "message": base | content}
    yield "edited", {"update_id": 2, "edited_channel_post": base | {"edit_date": 3, "photo": photo}}
    yield "press", {"update_id": 3, "callback_query": {"id": "1", "from": sender, "data": "guess:1:30", "message": base | {"photo": photo}}}
    guest = base | {"guest_query_id": "q", "text": "@guess_bot?", "reply_to_message": base | {"photo": photo}}
    yield "guest", {"update_id": 5, "guest_message": guest}
    yield "guest-press", {"update_id": 6, "callback_query": {"id": "1", "from": sender, "data": "delete:3", "inline_message_id": "i"}}
    yield "business", {"update_id": 7, "business_connection": {"id": "b", "user": sender, "user_chat_id": 3, "is_enabled": True}}
    yield "customer", {"update_id": 8, "message": base | {"business_connection_id": "b", "photo": photo}}
    yield "unknown", {"update_id": 4, "hologram": {"text": "x"}}


def room_events():
    base = {"type": "m.room.message", "event_id": "$one:a.example", "sender": "@ann:a.example", "origin_server_ts": 1}
    info = {"mimetype": "image/png", "size": 5000, "w": 9}
    picture = {"msgtype": "m.image", "body": "a.png", "url": "mxc://a.example/abc", "info": info}
    reply = {"m.in_reply_to": {"event_id": "$two"}}
    thread = {"rel_type": "m.thread", "event_id": "$root", "is_falling_back": True} | reply
    yield "picture", base | {"content": picture}
    yield "caption", base | {"content": picture | {"filename": "b.png", "body": "!age explain 2"}}
    yield "file", base | {"content": picture | {"msgtype": "m.file"}}
    mention = {"m.mentions": {"user_ids": ["@bot:a.example"]}, "formatted_body": "<a href=\"https://matrix.to/#/@bot:a.example\">x</a>"}
    yield "mention", base | {"content": {"msgtype": "m.text", "body": "Face Guesser: language de", "m.relates_to": reply} | mention}
    yield "quoted", base | {"content": {"msgtype": "m.text", "body": "> <@b:a.example> x\n> y\n\n!age set gender", "m.relates_to": reply}}
    yield "thread", base | {"content": {"msgtype": "m.text", "body": "!age", "m.relates_to": thread}}
    yield "removed", base | {"type": "m.room.redaction", "redacts": "$two", "content": {"redacts": "$three"}}
    member = {"state_key": "@ann:a.example", "unsigned": {"prev_content": {"membership": "invite"}}}
    yield "member", base | member | {"type": "m.room.member", "content": {"membership": "join"}}
    yield "encrypted", base | {"type": "m.room.encrypted", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}


def heads():
    lines = ["/api/guess?card=1", "localhost:8080", "http://localhost:8080", "same-origin", "10.0.0.1, 127.0.0.1", "pt-BR,en;q=0.5", "C:\\photos\\me.jpg"]
    yield "own", "\n".join(lines).encode()
    yield "v6", "\n".join(["http://[::1]:1/", "[::ffff:127.0.0.1]:1", "", "none", "::1", "cs", "../../x\u202e.jpg"]).encode()
    yield "foreign", "\n".join(["/", "rebound.example", "null", "cross-site", "", "", ""]).encode()


def weights():
    def file(tensors, notes=None):
        header, data = {"__metadata__": notes} if notes else {}, b""
        for name, (kind, shape, body) in tensors.items():
            header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + len(body)]}
            data += body
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + data

    eight = {"a.weight": ("U8", [2, 3], bytes(range(6))), "a.weight.scale": ("F32", [3], struct.pack("<3f", 1, 2, 0.5)), "a.bias": ("F16", [3], bytes(6))}
    yield "eight-bits", file(eight, {"architecture": "32:16-1-1,24-2-2", "calibration": "{}"})
    yield "half", file({"age.weight": ("F16", [1, 2], bytes(4)), "age.bias": ("F32", [1], bytes(4))})
    yield "kinds", file({kind: (kind, [1], bytes(size)) for kind, size in {"F64": 8, "I64": 8, "U32": 4, "BF16": 2, "I32": 4, "BOOL": 1}.items()})


def write(target, files):
    folder = SEEDS / target
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files:
        if isinstance(data, dict):
            data = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
        (folder / name).write_bytes(data)


def main():
    few = lambda files, step: list(files)[::step]
    animations = [*animated_gifs(), *animated_webps(), *animated_pngs()]
    write("jpeg", jpegs())
    write("jpeg_differential", jpegs())
    write("jpeg_general", [*few(jpegs(), 4), *other_jpegs()])
    write("jpeg_outline", [*few(jpegs(), 5), *other_jpegs()])
    write("png", pngs())
    write("gif", [*gifs(), *few(animated_gifs(), 3)])
    write("webp", [*webps(), *animated_webps()])
    write("heic", heics())
    write("animation", animations)
    write("photo_bytes", [("jpeg", dict(jpegs())["turned"]), ("png", dict(pngs())["exif"]), ("webp", dict(webps())["alpha"]),
                          ("gif", dict(gifs())["offset"]), *few(animations, 4), *others()])
    for target, files in {"exif": metadata, "config": settings, "command_text": commands, "button_codes": buttons, "discord_event": events,
                          "telegram_update": updates, "matrix_event": room_events, "web_request": heads, "weights_file": weights}.items():
        write(target, files())


if __name__ == "__main__":
    main()

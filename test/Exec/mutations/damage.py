"""Random damage to the bytes of a model file."""


def damage(data, rng):
    """Gives the damaged bytes, and what was done."""
    data = bytearray(data)
    done = []
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(data) + 1)
        kind = rng.choice(("byte", "bit", "remove", "double", "insert", "cut"))
        if kind == "byte" and at < len(data):
            data[at] = rng.choice((0, 1, 0x7f, 0x80, 0xff, rng.randrange(256)))
        elif kind == "bit" and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif kind == "remove":
            del data[at:at + rng.choice((1, 2, 8))]
        elif kind == "double":
            data[at:at] = data[at:at + rng.choice((1, 4, 40))]
        elif kind == "insert":
            data[at:at] = rng.randbytes(rng.choice((1, 4)))
        elif kind == "cut" and rng.randrange(3) == 0:
            del data[at:]
        done.append(f"{kind} at byte {at}")
    return bytes(data), ", ".join(done)

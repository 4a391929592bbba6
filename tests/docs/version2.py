#!/usr/bin/env python3
"""Prints the example of doc/protocol.md, section 4.10, made from the words of that section alone.

    python3 tests/docs/version2.py

Another implementation than ours, with nothing but SHA-512 and HMAC from the standard library: slow, not in
constant time, and for this example only.
"""

import hashlib
import hmac
import struct

PRIME = 2**255 - 19


def digest(data):
    """SHA-512."""
    return hashlib.sha512(data).digest()


def mac(key, data):
    """HMAC-SHA512."""
    return hmac.new(key, data, "sha512").digest()


def expand(key, info):
    """HKDF-Expand to 32 bytes, which is one block and less."""
    return mac(key, info + b"\x01")[:32]


def prefix(data):
    """The length of a string as LEB128, and the string."""
    length, encoded = len(data), b""
    while length >= 128:
        encoded += bytes([length % 128 + 128])
        length //= 128
    return encoded + bytes([length]) + data


def lv_cat(*strings):
    """Each string behind its length."""
    return b"".join(map(prefix, strings))


def x25519(scalar, point):
    """RFC 7748, section 5."""
    bits = bytearray(scalar)
    bits[0] &= 248
    bits[31] = bits[31] & 127 | 64
    number = int.from_bytes(bits, "little")
    base = int.from_bytes(point, "little") % 2**255
    x2, z2, x3, z3 = 1, 0, base, 1
    for bit in reversed(range(255)):
        one = number >> bit & 1
        if one:
            x2, z2, x3, z3 = x3, z3, x2, z2
        plus, minus = x2 + z2, x2 - z2
        left, right = (x3 - z3) * plus, (x3 + z3) * minus
        square, other = plus * plus, minus * minus
        between = square - other
        x3, z3 = (left + right) ** 2 % PRIME, base * (left - right) ** 2 % PRIME
        x2, z2 = square * other % PRIME, between * (square + 121665 * between) % PRIME
        if one:
            x2, z2, x3, z3 = x3, z3, x2, z2
    return (x2 * pow(z2, PRIME - 2, PRIME) % PRIME).to_bytes(32, "little")


def generator(prs, ci, sid):
    """CPace's, of draft-irtf-cfrg-cpace-21, section 8: Elligator 2 of a hash."""
    name = b"CPace255"
    padding = max(0, 128 - 1 - len(prefix(prs)) - len(prefix(name)))
    front = digest(lv_cat(name, prs, bytes(padding), ci, sid))[:32]
    u, j = int.from_bytes(front, "little") % 2**255, 486662
    x = -j * pow(1 + 2 * u * u, PRIME - 2, PRIME) % PRIME
    curve = x**3 + j * x**2 + x
    if pow(curve, (PRIME - 1) // 2, PRIME) == PRIME - 1:
        x = (-x - j) % PRIME
    return x.to_bytes(32, "little")


def chacha20(key, nonce, block):
    """One block of RFC 8439, section 2.3."""
    start = struct.unpack("<16I", b"expand 32-byte k" + key + struct.pack("<I", block) + nonce)
    words = list(start)

    def step(to, add, turn, by):
        words[to] = (words[to] + words[add]) % 2**32
        mixed = words[turn] ^ words[to]
        words[turn] = (mixed << by | mixed >> 32 - by) % 2**32

    columns = [(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)]
    diagonals = [(0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]
    for a, b, c, d in (columns + diagonals) * 10:
        step(a, b, d, 16)
        step(c, d, b, 12)
        step(a, b, d, 8)
        step(c, d, b, 7)
    return struct.pack("<16I", *((x + y) % 2**32 for x, y in zip(start, words)))


def seal(key, counter, plain):
    """A record: length, ciphertext, tag (RFC 8439, section 2.8)."""
    nonce = bytes(4) + struct.pack("<Q", counter)
    length = (len(plain) + 16).to_bytes(3, "little")
    text = bytes(a ^ b for a, b in zip(plain, chacha20(key, nonce, 1)))
    once = chacha20(key, nonce, 0)
    r = int.from_bytes(once[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    data = b"".join(part + bytes(-len(part) % 16) for part in (length, text))
    data += struct.pack("<QQ", len(length), len(text))
    tag = 0
    for at in range(0, len(data), 16):
        tag = (tag + int.from_bytes(data[at : at + 16] + b"\x01", "little")) * r % (2**130 - 5)
    tag = (tag + int.from_bytes(once[16:32], "little")) % 2**128
    return length + text + tag.to_bytes(16, "little")


def counted(first, count):
    """This many bytes, counted up."""
    return bytes(range(first, first + count))


def example():
    """Each name with its bytes."""
    prs, user = b"correct horse", b"alice"
    nonce_s, a = counted(0x00, 16), counted(0x10, 32)
    nonce_r, b = counted(0x80, 16), counted(0x90, 32)
    m0 = bytes(32) + b"0\x00P2\x02\x01".ljust(16, b"\x00")
    m1 = b"2\x02\x01" + nonce_r
    sid = nonce_s + nonce_r
    ci = lv_cat(b"p2pxfer/2", user, b"S", b"R", digest(m0 + m1))
    point = generator(prs, ci, sid)
    ya, yb = x25519(a, point), x25519(b, point)
    shared = x25519(a, yb)
    if shared != x25519(b, ya):
        raise SystemExit("the two sides do not agree")
    isk = digest(lv_cat(b"CPace255_ISK", sid, shared, ya, b"", yb, b""))
    tag_key = digest(b"CPaceMac" + sid + isk)
    m2 = nonce_s + ya
    m3 = yb + mac(tag_key, lv_cat(yb, b""))
    m4 = mac(tag_key, lv_cat(ya, b""))
    prk = mac(b"p2pxfer/2", isk)
    transcript = digest(m0 + m1 + m2 + m3 + m4)
    k_sr, k_rs = expand(prk, b"k_SR" + transcript), expand(prk, b"k_RS" + transcript)
    item = struct.pack("<BBBQQ", 1, 1, 1, 1, 13) + b"hello.txt"
    offer = b"\x02" + counted(0xF0, 16) + struct.pack("<I", 1)
    accept = b"\x21"
    yield from zip(("M0", "M1", "M2", "M3", "M4"), (m0, m1, m2, m3, m4))
    yield from (("sid", sid), ("CI", ci), ("ISK", isk), ("PRK", prk))
    yield from (("SHA512(M0..M4)", transcript), ("k_SR", k_sr), ("k_RS", k_rs))
    yield from (("ITEM", item), ("ITEM, sealed", seal(k_sr, 0, item)))
    yield from (("OFFER", offer), ("OFFER, sealed", seal(k_sr, 1, offer)))
    yield from (("ACCEPT", accept), ("ACCEPT, sealed", seal(k_rs, 0, accept)))


for title, value in example():
    print(f"{title} ({len(value)} bytes)")
    for place in range(0, len(value), 32):
        row = value[place : place + 32].hex()
        print("   ", " ".join(row[column : column + 8] for column in range(0, len(row), 8)))

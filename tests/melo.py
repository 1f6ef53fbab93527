"""A MeloTTS folder of 1 kB that sherpa-onnx takes for a real one: every sign is 50 ms of a 440 Hz tone."""

from __future__ import annotations

import base64
from pathlib import Path

# An ONNX graph (opset 17) with MeloTTS's seven inputs: y = sin(2 pi 440 t / 44100), 2205 samples a token / speed; with the
# metadata that sherpa-onnx asks for (comment=melo, version=2, language=Chinese + English, sample_rate=44100, n_speakers=1 ...).
_MODEL = (
    "2nagw1PUYy33y*@Wo~D5Xmb(<bZ={AZgV08Lt%4tDhUb#bZ-~|paB93Aqoa`Z);_4a|#J?WpZD1Z);_45(jf(ZE$R5b0Pyxb!-YG3I}sxZE$R5"
    "a|#S>Wo~D5XkT+<VQgg*26JO!Y-MC315I^o3Lpvwb7Ns_Wn>Blb7Ns_VR8}$V{dhCbRq{*Wpij@aAgV{3Iuv(a&HO+V{dhCbP5A+Ze<bybRq>("
    "VQyz-3Ka?gbP5D>bY*Z71#oC#b7dj}O?7Mv5())yXkl|@5(IZ)c4Z<1Q)zAr7zzY;VRmH-1Z;10WD*5&b!laEA_GlzYziI<1#xw0WpoM&Z*_EE"
    "b7*03WfB2-A_r1sb7*03WfBQ=X>NI6ZDnk4Dh?0<A_M>c002S+dS!BNDh&_;A_M>cfImV5Z*FBO6A%F+1OU(pMM4R1WpZD1Z);_4Dh?0<A_Pif"
    "fIUJ4b97~JDh?0<A_SV5nLa`UY;SdBDjf&|5C=L80RjL2|NsC0|Ns91LJ4nmbYF95VQ^(C3<v-a2SNsOV_|Gza#|G%0eBJ+3JwSd5()|f5&=#M"
    "0}=sDS{MomcwcN~ZfA68a}o;*2?z%g1quTa0Zv*O3I%j;Ze?>45DE?m2NDVj0}=sF3Ih@WOj;2N19NF)5()|k2nP}b3IYfLS{VupZf|LGWnXh+"
    "VQgg*3JM4a0TKiX0tf+G8VU?-Wo~D5XkT+<VQgg*3JM4a0TKiX0tf+G8ww3>Z)tO7Uvpz&Y-L|}5()|k2mulV3IYfLVj2noc@h;069@qk4+;Yk"
    "0Zs}75&=^R0}=sLLIer`5D{`03JPs+WMyn$ba`-P5(#Z(Y;P@gX>@aP4+;lkZ*6U5Zgdg^ZDnk4atsOwc4cyNX>V>40WxwO3J7drZfA92XJrx*"
    "LuhGkWpia9D<DN~XKZP6XmSn;31MVpUt(-wZfg<&F>((I3T|I>aAjd@WpZ;80Woq43I%FuWny6x0WoqE3JY^#ZE$R5Uvgn|WfBE6G%+wRat{g$"
    "b8uy0Yh`j@X=D-sF>(+J2x4V&bYEm?Z4v}AFfuf95(*1yVP9fpa&%v0X>Ae%H#RtO3<?KqVQyz%X=D-sGjb0K3UqI7WnXi2VRCd50WfkF3I}Xy"
    "V`Xl0WfBWbNmL+gX=7z>b7gV|3Ila=Y!U!+8VU<!WpiV4X>fFDZ*CF`VIXv6b95kdZ*FA"
)
_TOKENS = "_ hh ah l ow w er d r eh k p n i h ao b ei z ! ? , .".split()
_LEXICON = """\
hello hh ah l ow 7 7 7 8
world w er l d 8 8 8 8
red r eh d 8 8 8
cup k ah p 8 8 8
你 n i 3 3
好 h ao 3 3
你好 n i h ao 2 2 3 3
"""


def write_tiny_melo(folder: Path) -> Path:
    """model.onnx, tokens.txt and lexicon.txt."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(base64.b85decode(_MODEL))
    (folder / "tokens.txt").write_text("".join(f"{token} {number}\n" for number, token in enumerate(_TOKENS)), encoding="utf-8")
    (folder / "lexicon.txt").write_text(_LEXICON, encoding="utf-8")
    return folder

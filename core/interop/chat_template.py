"""A prompt template as Jinja, in which other programs keep it: the same text that training saw."""

from __future__ import annotations

import json

from ..template import Template

#: ``template.clean_prompt`` in Jinja: a half-width question mark after Chinese becomes the Chinese one, and blanks
#: between Chinese characters go. U+3000, the ideographic blank, counts as a Chinese character beside another blank.
_CLEAN = """\
{%- macro is_cjk(c) -%}
{%- if c and ('\\u2e80' <= c <= '\\u9fff' or '\\uf900' <= c <= '\\ufaff' or '\\uff00' <= c <= '\\uffef') -%}
{{- 1 -}}
{%- endif -%}
{%- endmacro -%}
{%- macro clean(content) -%}
{%- set text = content | replace('\\r\\n', '\\n') | trim -%}
{%- if text[-1:] == '?' -%}
{%- set before = text[:-1].rstrip(' \\u3000') -%}
{%- if is_cjk(before[-1:]) -%}{%- set text = before ~ '？' -%}{%- endif -%}
{%- endif -%}
{%- set now = namespace(last='', blanks='') -%}
{%- for c in text -%}
{%- if c == ' ' or c == '\\u3000' -%}
{%- set now.blanks = now.blanks ~ c -%}
{%- else -%}
{%- if now.blanks -%}
{%- set left, right = is_cjk(now.last), is_cjk(c) -%}
{%- set first, last = now.blanks.find('\\u3000'), now.blanks.rfind('\\u3000') -%}
{%- if left and right -%}
{%- elif left and last > 0 -%}{{- now.blanks[last:] -}}
{%- elif right and first >= 0 -%}{{- now.blanks[:first + 1] -}}
{%- elif not left and not right and last > first -%}{{- now.blanks[:first + 1] ~ now.blanks[last:] -}}
{%- else -%}{{- now.blanks -}}
{%- endif -%}
{%- endif -%}
{{- c -}}
{%- set now.last, now.blanks = c, '' -%}
{%- endif -%}
{%- endfor -%}
{%- endmacro -%}
"""


def chat_template(template: Template, clean: bool = True) -> str:
    """Messages with the roles system, user and assistant to the text whose tokens are the prompt.

    ``clean``: questions pass through ``clean_prompt`` as in training, which takes macros and loops over characters;
    without, they are only trimmed, which every Jinja understands.
    """
    between = _write(template.between) + ("{{- eos_token -}}" if template.closed else "")
    before_system, after_system = template.system.split("{text}")
    user = "clean(message['content'])" if clean else "message['content'] | trim"
    lines = [
        "{{- bos_token -}}" if template.bos else "",
        "{%- for message in messages -%}",
        "{%- if message['role'] == 'system' -%}",
        _write(before_system) + "{{- message['content'] -}}" + _write(after_system),
        "{%- elif message['role'] == 'user' -%}",
        _write(template.before) + f"{{{{- {user} -}}}}",
        "{%- elif message['role'] == 'assistant' -%}",
        between + "{{- message['content'] ~ eos_token -}}",
        f"{{%- if not loop.last -%}}{_write(template.after)}{{%- endif -%}}",
        "{%- endif -%}",
        "{%- endfor -%}",
        f"{{%- if add_generation_prompt -%}}{between}{{%- endif -%}}",
    ]
    return (_CLEAN if clean else "") + "\n".join(line for line in lines if line)


def _write(text: str) -> str:
    return "{{- " + json.dumps(text, ensure_ascii=False) + " -}}" if text else ""

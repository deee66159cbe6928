"""Records what Jinja2 writes for the cases of src/text/jinja.

    pip install jinja2==3.1.6
    python scripts/jinja/record.py

The environment is that of transformers' `apply_chat_template`: an immutable sandbox with
`trim_blocks`, `lstrip_blocks`, loop controls, the `generation` block and its own `tojson`.
Writes src/text/jinja/cases.json: a list of {template, variables, output}, or {template, variables,
error} where Jinja2 fails.
"""

import json
from pathlib import Path

from jinja2 import nodes
from jinja2.exceptions import TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

OUTPUT = Path(__file__).parents[2] / "src/text/jinja/cases.json"


class Generation(Extension):
    """`{% generation %}` marks the assistant's text. It writes its body."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("_write"), [], [], body).set_lineno(line)

    def _write(self, caller):
        return caller()


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def raise_exception(message):
    raise TemplateError(message)


def environment():
    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    return env


VARIABLES = {
    "n": None,
    "t": True,
    "f": False,
    "i": 7,
    "neg": -3,
    "x": 2.5,
    "s": "hello World",
    "pad": "  padded\t\n",
    "empty": "",
    "wide": "é熊🐻",
    "quotes": "it's \"both\"\n",
    "list": [3, 1, 2],
    "words": ["b", "A", "c"],
    "nested": [[1, 2], [3, 4]],
    "d": {"a": 1, "b": {"c": [1, None, True]}, "items": "key"},
    "users": [
        {"name": "Zoe", "age": 30, "admin": True, "address": {"city": "Bern"}},
        {"name": "adam", "age": 25, "admin": False, "address": {"city": "Aarau"}},
        {"name": "Mia", "age": 30, "admin": False, "address": {"city": "Chur"}},
    ],
    "tree": [{"v": 1, "kids": [{"v": 2, "kids": [{"v": 3, "kids": []}]}, {"v": 4, "kids": []}]}],
}

EXPRESSIONS = """
n | t | f
i, x
none
true
[n, t, f, 1, 1.0, 'a', "it's"]
(1,)
(1, 2)
()
{}
{'a': 1, 2: 'b', none: true, 1.5: []}
[]
1.0
1e16
1e-5
0.1
123456789.125
1e22
2 ** 10
2 ** 0.5
2 ** -1
2 ** 3 ** 2
-2 ** 2
7 / 2
7 // 2
-7 // 2
7 % 3
-7 % 3
7 % -3
7.5 // 2
-7.5 % 2
7.0
i + x
i - 10
i * 2 + 1
1 + 2 * 3
(1 + 2) * 3
1_000
0x1F
0b101
'-' * 3
3 * 'ab'
[1, 2] * 2
(1, 2) + (3,)
[1] + [2]
'a' + 'b'
'a' 'b'
'a' ~ 1 ~ none ~ true ~ 1.0
1 ~ 2 + 3
'%s is %d, %5.2f|%-5s|%05d|%x|%%' % ('a', 3, 2.5, 'b', 42, 255)
'%s' % 'x'
'%s' % [1, 'a']
'%(a)s-%(b)d' % {'a': 'x', 'b': 2}
'%r %s' % ('a', none)
'%e %g %g %G' % (12345.678, 0.00001, 1234567.0, 1e20)
'%+d % d %o %X %c' % (3, 4, 8, 255, 65)
'%.3s|%10.2f|%s' % ('abcdef', 3.14159, 1.0)
'{} {} {0}' | string
'{} {}'.format(1, 'a')
'{0} {1} {0}'.format(1, 'a')
'{a} {b[c]} {b[d]}'.format(a=1, b={'c': 2, 'd': none})
'{:>5}|{:<5}|{:^5}|{:05d}|{:.2f}|{:,}|{:x}'.format('a', 'b', 'c', 42, 2.345, 1234567, 255)
'{!r} {{}} {:%}'.format('a', 0.5)
1 == 1.0
1 == true
1 == '1'
[1, 2] == [1, 2]
(1, 2) == [1, 2]
{'a': 1} == {'a': 1.0}
none == none
none == false
1 < 2 < 3
1 < 3 < 2
3 > 2 > 1 == 1
'a' < 'b'
'a' < 'B'
[1, 2] < [1, 3]
(1, 2) < (1, 2, 0)
1 < 'a'
none < 1
1 in [1, 2]
1 not in [1, 2]
'a' in 'abc'
'a' in d
'z' in d
1.0 in [1]
true in [1]
1 in 'abc'
not true
not 1 == 2
not []
[] or 'x'
0 or none or ''
'a' and 'b'
'' and 'b'
none and missing.x
t and not f
'y' if t else 'n'
'y' if f else 'n'
'y' if f
('y' if f) is defined
1 if f else 2 if f else 3
missing
missing is defined
missing is undefined
missing ~ 'x'
missing == missing
missing | default('x')
missing.x
missing['x']
missing + 1
missing | length
missing | list
missing.x | default('x')
d.missing
d.missing.x
d.missing | default('none')
d['missing'] is defined
d.a
d['a']
d.b.c[0]
d.b.c[-1]
d.b.c[9]
d.b.c[9] is undefined
d.items()
d.items() | list
d['items']
d.keys()  | list
d.values() | list | length
d.get('a')
d.get('z')
d.get('z', 5)
d.get('b').get('c')
{1: 'one'}[1]
{1: 'one'}[1.0]
{'a': 1}['a']
dict(a=1, b='x')
dict({'a': 1}, b=2)
dict([('k', 1)])
list[0]
list[-1]
list[1:]
list[:-1]
list[::-1]
list[::2]
list[5:]
list[-2:]
list.index(1)
list.count(3)
list.append(4)
list.pop()
d.update({'z': 1})
d.pop('a')
'abcdef'[1:4]
'abcdef'[::-1]
'abcdef'[-1]
'abcdef'[9]
wide[1]
wide[::-1]
wide | length
(1, 2, 3)[1:]
(1, 2)[0]
list.0
nested.1.0
s.upper()
s.lower()
s.title()
s.capitalize()
s.swapcase()
s.strip()
pad.strip()
pad.lstrip()
pad.rstrip()
'xxaxx'.strip('x')
'xyaxy'.lstrip('yx')
'\\n  a\\n'.lstrip('\\n')
'\\n  a  \\n'.rstrip('\\n')
s.split()
' a  b '.split()
'a,b,,c'.split(',')
'a,b,c'.split(',', 1)
'a b  c '.split(none, 1)
'a,b,c'.rsplit(',', 1)
' a b c '.rsplit(none, 1)
'a,b'.split(sep=',', maxsplit=1)
''.split()
''.split(',')
'a\\nb\\r\\nc\\n'.splitlines()
'a\\nb'.splitlines(true)
s.replace('l', 'L')
s.replace('l', 'L', 1)
'aaa'.replace('', '-')
'aaa'.replace('', '-', 2)
s.startswith('hell')
s.startswith(('x', 'h'))
s.endswith('World')
s.endswith('o', 0, 5)
s.find('o')
s.find('o', 5)
s.find('z')
s.rfind('o')
s.index('W')
s.index('z')
s.count('l')
'aaa'.count('')
s.center(17, '*')
'ab'.center(5)
'abc'.center(6)
'ab'.ljust(4, '.')
'ab'.rjust(4)
'42'.zfill(5)
'-42'.zfill(5)
s.partition(' ')
s.rpartition('o')
s.partition('zz')
'TestHook'.removeprefix('Test')
'TestHook'.removesuffix('Hook')
', '.join(['a', 'b'])
', '.join([1])
'abc'.isalpha()
'12'.isdigit()
'1²'.isdigit()
'12'.isdecimal()
'½'.isnumeric()
'a1'.isalnum()
' \\t'.isspace()
''.isspace()
'Abc Def'.istitle()
'ABC'.isupper()
'abc'.islower()
'a b'.isidentifier()
'ab'.isascii()
'ß'.casefold()
'a\\tb'.expandtabs(4)
x.is_integer()
(2.0).is_integer()
s.nothing
s.nothing()
s | upper
s | lower
s | title
"it's a-b (c)" | title
s | capitalize
s | length
s | count
list | length
d | length
i | length
s | first
s | last
list | first
list | last
[] | first
[] | first is undefined
list | sort
list | sort(reverse=true)
words | sort
words | sort(case_sensitive=true)
users | sort(attribute='age') | map(attribute='name') | list
users | sort(attribute='age,name') | map(attribute='name') | list
users | sort(reverse=true, attribute='age') | map(attribute='name') | list
list | reverse | list
s | reverse
list | sum
users | sum(attribute='age')
[1.5, 1] | sum
list | min
list | max
words | min
words | max
users | max(attribute='age')
[] | min
list | join
list | join(', ')
users | join(', ', attribute='name')
users | map(attribute='address.city') | join(' ')
users | map(attribute='zip', default='-') | join
words | map('upper') | list
words | map('replace', 'b', 'x') | list
users | selectattr('admin') | map(attribute='name') | list
users | selectattr('age', 'equalto', 30) | map(attribute='name') | list
users | selectattr('age', '>', 25) | list | length
users | rejectattr('admin') | map(attribute='name') | list
users | selectattr('missing', 'defined') | list
list | select('odd') | list
list | reject('odd') | list
[0, 1, '', 'a'] | select | list
list | select('in', [1, 2]) | list
users | groupby('age')
users | groupby('age') | map(attribute='grouper') | list
[1, 2, 3, 4, 5] | batch(2) | list
[1, 2, 3, 4, 5] | batch(2, 0) | list
[1, 2, 3, 4, 5] | slice(2) | list
[1, 2, 3, 4, 5] | slice(3, 'x') | list
[1, 2, 1, 3] | unique | list
['a', 'A', 'b'] | unique | list
d | dictsort
{'b': 1, 'A': 2} | dictsort
{'b': 1, 'A': 2} | dictsort(by='value')
{'b': 1, 'A': 2} | dictsort(true)
d | items | list
{'a': none}.a
{'a': none}.get('a', 5)
[none] | first
[none][0]
[none, 1] | last
d.keys()
d.values()
0.5 | round
1.5 | round
-2.5 | round
0.125 | round(2)
1e100 | round
15 | round(-1)
25 | round(-1)
'%.2f' % 2.675
'%.0f' % 0.5
'%.1f' % 0.25
users | groupby('age') | map(attribute='list') | map('length') | list
missing | items | list
s | replace('l', 'L')
'aaa' | replace('a', 'b', 2)
12 | replace('1', '3')
pad | trim
'xax' | trim('x')
'42' | int
'4.9' | int
'x' | int
'x' | int(5)
'0x1A' | int(0, 16)
'0x1A' | int
4.9 | int
none | int
true | int
' 42 ' | int
'1.5' | float
'x' | float
'x' | float(1.5)
3 | float
'1e3' | float
3 | string
none | string
1.0 | string
3.14159 | round
3.14159 | round(2)
2.5 | round
3.5 | round
2.675 | round(2)
1234 | round(-2)
2.1 | round(method='ceil')
2.9 | round(0, 'floor')
-3 | abs
-2.5 | abs
'a' | abs
none | default('x')
none | default('x', true)
'' | default('x')
'' | default('x', true)
'' | d('x', boolean=true)
missing | d
'<a & "b">' | e
'<a>' | escape
'<b>x</b>' | safe
'<p>a  <b>b</b></p>' | striptags
'a b c' | wordcount
'hello world foo' | truncate(11)
'hello world foo' | truncate(9)
'hello world foo' | truncate(9, true)
'hello world foo' | truncate(9, true, '!', 0)
'a\\nb\\n\\nc' | indent
'a\\nb' | indent(2, true)
'a\\n\\nb' | indent(2, blank=true)
'a\\nb' | indent('>> ')
'ab' | center(6)
'%s-%s' | format('a', 1)
'%(x)s' | format(x=1)
'a b/c?d' | urlencode
{'a': 'b c', 'd': 1} | urlencode
d | tojson
d | tojson(indent=2)
d | tojson(indent=4)
[] | tojson(indent=2)
{'a': []} | tojson(indent=2)
'é<>&\\'"\\n\\u0001' | tojson
'é🐻' | tojson(ensure_ascii=true)
{'b': 1, 'a': 2} | tojson(sort_keys=true)
[1, 2] | tojson(separators=(',', ':'))
{'a': 1} | tojson(separators=(',', ':'))
[1.0, 1e20, none, true] | tojson
{1: 'a', none: 'b', true: 'c'} | tojson
missing | tojson
(1, 2) | tojson
'a' | list
d | list
range(3) | list
range(1, 4) | list
range(5, 0, -2) | list
range(0) | list
i is odd
i is even
i is divisibleby 7
i is divisibleby(3)
i is number
x is float
i is integer
t is integer
t is boolean
t is number
t is true
f is false
n is none
n is not none
s is string
list is iterable
list is sequence
d is mapping
d is iterable
s is sequence
i is iterable
'abc' is lower
'ABC' is upper
i is eq 7
i is ne 8
i is lt 8
i is gt(6)
i is ge 7 and i is le 7
i is in [7, 8]
i is sameas 7
n is sameas none
'upper' is filter
'nope' is filter
'odd' is test
range is callable
s is callable
s is defined and s is string
not s is string
(i is odd) == true
i is nope
i | nope
i is odd | string
-1 | abs
-i | abs
+i
- 3
quotes
[quotes]
['\\\\', '\\t', '\\x00', '\\u200b', 'é']
namespace(a=1).a
namespace(a=1).b
namespace(a=1)
1(2)
'a'()
none.x
none['x']
loop
{'a': 1}.b
{'a': 1} ~ ''
'a' if 'b' in 'abc' else 'c'
s | upper | lower | title
(s | upper).lower()
[1, 2, 3] | map('string') | join('-')
1 + n
'a' + 1
[1] + (2,)
n + n
1 / 0
1 // 0
1.0 % 0
cycler('a', 'b').next()
"\\x41\\u0042\\n\\'\\q"
'\\101'
["a\\\\b"]
[t, n] | string
d.b
list | tojson | upper
list | pprint
true | string | lower
s[0] | upper
{'x': {'y': 1}}.x.y
users[0]['name'][0]
users[-1].address.city
'a' not in 'b'
1 is not odd
x | int | string + 'a'
'a,b' .split(',') [0]
[[1, 'a'], [2, 'b']] | map('first') | list
[{'a': {'b': 1}}] | map(attribute='a.b') | list
[[3, 1], [2, 5]] | map('sort') | list
['b', 'a'] | sort | first
""".strip("\n").split("\n")

TEMPLATES = [
    # White space
    "a\n",
    "a\n\n",
    "{{ 'a' }}\n{{ 'b' }}\n",
    "{% if t %}\na\n{% endif %}\nb",
    "  {% if t %}  \na\n  {% endif %}\nb",
    "x  {% if t %}a{% endif %}  y",
    "a {%- if t -%} b {%- endif -%} c",
    "a\n  {%- if t %}\n b\n{%- endif %}\n c",
    "a  {{- 'b' -}}  c",
    "  {{ 'a' }}  \n  {{ 'b' }}",
    "{# comment #}\na",
    "  {# comment #}\n  a {# b #} c",
    "a {#- b -#} c",
    "{# {{ x }} {% if %} #}a",
    "{%+ if t %}\na{% endif %}",
    "  {%+ if t %}a{% endif %}",
    "{% if t +%}\na{% endif %}",
    "a\r\nb{% if t %}\r\nc{% endif %}",
    "\t{% if t %}\n\ta\n\t{% endif %}\n",
    "{% if t %}a{% endif %}\n\nb",
    "{% set y = 1 %}\n\n{{ y }}",
    "{{ '{{' }} {{ '%}' }} {{ \"}}\" }}",
    "{{ {'a': {'b': 1}} }}",
    "{{ {'a': {'b': 1}}}}",
    "{%- raw %} {{ x }} {% endraw %}|",
    "a {% raw -%}  {% if %} {%- endraw -%}  b",
    "{% raw %}\n{{ x }}\n{% endraw %}\nb",
    "  {% raw %}a{% endraw %}\n  {% endif_is_text %}"[:28],
    # Conditions
    "{% if f %}a{% elif i == 7 %}b{% else %}c{% endif %}",
    "{% if f %}a{% elif f %}b{% elif t %}d{% else %}c{% endif %}",
    "{% if n %}a{% else %}b{% endif %}",
    "{% if t %}{% if f %}a{% else %}b{% endif %}{% endif %}",
    "{% if missing %}a{% else %}b{% endif %}",
    "{% if 1, 2 %}a{% endif %}",
    # Loops
    "{% for v in list %}{{ v }},{% endfor %}",
    "{% for v in list %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}"
    "{{ loop.first }}{{ loop.last }}{{ loop.length }} {% endfor %}",
    "{% for v in list %}{{ loop.previtem }}<{{ v }}>{{ loop.nextitem }} {% endfor %}",
    "{% for v in list %}{{ loop.previtem is defined }}{{ loop.cycle('a', 'b') }}{% endfor %}",
    "{% for v in [1, 1, 2] %}{{ loop.changed(v) }} {% endfor %}",
    "{% for v in [] %}a{% else %}none{% endfor %}",
    "{% for v in list if v > 1 %}{{ v }}{{ loop.length }}{% endfor %}",
    "{% for v in list if v > 9 %}{{ v }}{% else %}none{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for k in d %}{{ k }};{% endfor %}",
    "{% for a, b in nested %}{{ a }}-{{ b }};{% endfor %}",
    "{% for (a, b) in nested %}{{ a + b }};{% endfor %}",
    "{% for a, b in list %}{{ a }}{% endfor %}",
    "{% for c in 'abc' %}{{ c }}.{% endfor %}",
    "{% for c in wide %}{{ c }}.{% endfor %}",
    "{% for v in i %}{{ v }}{% endfor %}",
    "{% for v in missing %}{{ v }}{% else %}e{% endfor %}",
    "{% for v in none %}{{ v }}{% endfor %}",
    "{% for v in 1, 2 %}{{ v }}{% endfor %}",
    "{% for v in list[1:] %}{{ v }}{% endfor %}",
    "{% for v in range(10) %}{% if v == 2 %}{% continue %}{% endif %}{% if v == 4 %}{% break %}"
    "{% endif %}{{ v }}{% endfor %}",
    "{% for v in list %}{{ v }}{% if v == 1 %}x{% break %}y{% endif %}{% endfor %}",
    "{% for a in list %}{% for b in words %}{% if b == 'A' %}{% break %}{% endif %}{{ a }}{{ b }}"
    "{% endfor %}{% endfor %}",
    "{% for a in list %}{% for b in words %}{{ loop.index }}{{ loop.depth }}{% endfor %}"
    "{{ loop.index }}{{ loop.depth }}{% endfor %}",
    "{% for n in tree recursive %}{{ n.v }}{% if n.kids %}({{ loop(n.kids) }}){% endif %}"
    "{% endfor %}",
    "{% for n in tree recursive %}{{ loop.depth }}{{ loop.depth0 }}{{ loop(n.kids) }}{% endfor %}",
    "{% for v in list %}{{ loop(list) }}{% endfor %}",
    "{% for loop in list %}{{ loop }}{% endfor %}",
    "{% for v in list | sort %}{{ v }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "{% for u in users | selectattr('age', 'eq', 30) %}{{ u.name }}{% endfor %}",
    "{% for v in d.values() %}{{ loop.index }}{% endfor %}",
    # Assignment and scope
    "{% set y = 1 %}{{ y }}",
    "{% set y, z = 1, 2 %}{{ y }}{{ z }}",
    "{% set y = 1, 2 %}{{ y }}",
    "{% set y = 1 %}{% for v in list %}{% set y = v %}{{ y }}{% endfor %}{{ y }}",
    "{% set y = 1 %}{% if t %}{% set y = 2 %}{% endif %}{{ y }}",
    "{% for v in list %}{{ y is defined }}{% set y = v %}{% endfor %}",
    "{% for v in list %}{% endfor %}{{ v is defined }}{{ loop is defined }}",
    "{% set ns = namespace(y=1) %}{% for v in list %}{% set ns.y = ns.y + v %}{% endfor %}{{ ns.y }}",
    "{% set ns = namespace() %}{% set ns.a = [] %}{% set ns.a = ns.a + [1] %}{{ ns.a }}",
    "{% set d.a = 2 %}",
    "{% set missing.a = 2 %}",
    "{% set y %}a{{ i }}{% endset %}{{ y }}|{{ y | length }}",
    "{% set y | upper %}a{{ s }}{% endset %}{{ y }}",
    "{% set y | upper | replace('L', 'x') %}{{ s }}{% endset %}{{ y }}",
    "{% with %}{% set y = 1 %}{{ y }}{% endwith %}{{ y is defined }}",
    "{% with y = 1, z = 2 %}{{ y + z }}{% endwith %}",
    "{% set y = 5 %}{% with y = 1, z = y %}{{ y }}{{ z }}{% endwith %}{{ y }}",
    # Macros
    "{% macro m(a, b=2) %}{{ a }}-{{ b }}{% endmacro %}{{ m(1) }}|{{ m(1, 3) }}|{{ m(b=1, a=2) }}",
    "{% macro m(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, x=4) }}",
    "{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}",
    "{% macro m(a) %}[{{ a }}]{% endmacro %}{{ m() }}",
    "{% macro m() %}{{ y }}{% endmacro %}{% set y = 3 %}{{ m() }}",
    "{% set y = 3 %}{% macro m() %}{% set y = 4 %}{{ y }}{% endmacro %}{{ m() }}{{ y }}",
    "{% macro f(k) %}{% if k > 0 %}{{ k }}{{ f(k - 1) }}{% endif %}{% endmacro %}{{ f(3) }}",
    "{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}x{{ i }}{% endcall %}",
    "{% macro m(l) %}{% for v in l %}{{ caller(v) }}{% endfor %}{% endmacro %}"
    "{% call(v) m(list) %}[{{ v }}]{% endcall %}",
    "{% macro m(a) -%}\n  {{ a }}\n{%- endmacro %}{{ m('x') }}",
    "{% macro m() %}a{% endmacro %}{{ m.name }}{{ m() | upper }}",
    "{% for v in list %}{% macro m() %}{{ v }}{% endmacro %}{{ m() }}{% endfor %}",
    "{{ m() }}{% macro m() %}a{% endmacro %}",
    # Other blocks
    "{% filter upper %}a{{ s }}{% endfilter %}",
    "{% filter replace('a', 'b') | upper %}aa{% endfilter %}",
    "{% generation %}a{{ i }}{% endgeneration %}b",
    "{% block title %}a{% endblock %}",
    "{% block title %}a{% endblock title %}",
    "{{ raise_exception('no system') }}",
    "{% if f %}{{ raise_exception('x') }}{% endif %}ok",
    "{% set j = joiner('; ') %}{% for v in list %}{{ j() }}{{ v }}{% endfor %}",
    "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}",
    "{% set y = [1, 2] %}{% set z = y.append(3) %}{{ y }}",
    "{% set y = {'a': 1} %}{% set _ = y.update({'b': 2}) %}{{ y }}",
    # Errors
    "{% if t %}a",
    "{% for v in list %}",
    "{% endif %}",
    "{% else %}",
    "{% nothing %}",
    "{{ 1 + }}",
    "{{ (1 }}",
    "{{ 'a }}",
    "{{ a b }}",
    "{{",
    "{# a",
    "{% raw %}a",
    "{% set 1 = 2 %}",
    "{% set y %}a",
    "{{ [1, 2 }}",
    "{{ d..a }}",
    "{{ $ }}",
    "{% break %}",
    "{% include 'x' %}",
    "{% extends 'x' %}",
    "{% macro m( %}{% endmacro %}",
    "{% do list.append(1) %}",
    "{{ range(10) | random }}"[:0] + "ok",
]


def main():
    env = environment()
    cases = []
    for template in [f"{{{{ {expression} }}}}" for expression in EXPRESSIONS] + TEMPLATES:
        try:
            output = {"output": env.from_string(template).render(**VARIABLES)}
        except Exception as error:  # every error of Python is an error of the template
            output = {"error": f"{type(error).__name__}: {error}"}
        cases.append({"template": template, **output})
    OUTPUT.write_text(
        json.dumps({"variables": VARIABLES, "cases": cases}, ensure_ascii=False, indent=1) + "\n"
    )
    failed = sum("error" in case for case in cases)
    print(f"{len(cases)} cases, {failed} of them errors")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-2.0-or-later
"""Statements at random, in both dialects: mostly valid ones, written in every way that a tokeniser could trip over.

A statement is a list of tokens. A token that begins with NAME is a name and may be quoted; one in capitals is a keyword and may
change its case. write() puts blanks, comments of every kind, or nothing between them. Every table has the columns i and j (and t), and
every query makes two columns i and j, so that whatever is put together has a meaning.
"""
import random
import re

NAME = "\x01"
MARIA, POSTGRES = "m", "p"

# What a driver makes exist: (schema, name), the first of each being the one in force. A bit of a mask is a place in this list.
TABLES = {
    MARIA: [("d1", "a"), ("d1", "b"), ("d1", "secret"), ("d1", "Odd na`me"), ("d2", "secret"), ("d2", "offset")],
    POSTGRES: [("public", "a"), ("public", "b"), ("public", "secret"), ("public", "Mixed \"Up"), ("x", "secret"), ("public", "s")],
}
ALIASES = ["x1", "x2", "x3", "q", "r", "events", "status", "secret", "a", "b", "d1", "value", "names", "key_1", "offs"]


class Grammar:
    def __init__(self, rng, dialect):
        self.r = rng
        self.dialect = dialect
        self.is_maria = dialect == MARIA
        self.depth = 0
        self.n_alias = 0

    # ------------------------------------------------------------ small parts

    def maybe(self, p, tokens):
        return tokens if self.r.random() < p else []

    def pick(self, *ways):
        return self.r.choice(ways)()

    def name(self, text):
        return [NAME + text]

    def alias(self):
        self.n_alias += 1
        word = self.r.choice(ALIASES)
        return f"{word}_{self.n_alias}" if self.r.random() < 0.7 else f"z{self.n_alias}"

    def table(self):
        tables = TABLES[self.dialect]
        schema, name = self.r.choice(tables if self.is_maria else tables[:-1])
        if schema != tables[0][0] or self.r.random() < 0.25:
            return [NAME + schema, ".", NAME + name]
        return [NAME + name]

    def literal(self):
        r = self.r
        ways = ["1", "2", "0", "42", "1.5", ".5", "1e1", "1.5e-3", "NULL", "'x'", "'it''s'", "' FROM secret '", "'/*'", "'--'", "''"]
        if self.is_maria:
            ways += ["0x41", "x'41'", "b'01'", "N'x'", "_utf8mb4'x'", '"d""q"', "'\\''", "'\\\\'", '"\\""', "\\N", "TRUE", "@v", "@`v w`", "@@version",
                     "'a' 'b'", "1.", "DATE '2020-01-01'", "\"' FROM \""]
        else:
            ways += ["$$ FROM secret $$", "$q$ $$ ' $q$", "E'\\''", "E'\\\\'", "U&'d\\0061'", "N'x'", "B'01'", "'\\'", "true", "'a'\n'b'", "1::int",
                     "'1'::text", "DATE '2020-01-01'", "INTERVAL '1 day'", "E'a'\n'\\''"]
        return [r.choice(ways)]

    def number(self):
        return [str(self.r.randrange(4))]

    # ------------------------------------------------------------ expressions: all of them numbers

    def column(self, scope):
        if not scope:
            return self.number()
        where = self.r.choice(scope)
        return [NAME + where, ".", NAME + self.r.choice("ij")]

    def expr(self, scope):
        if self.depth > 5:
            return self.column(scope)
        self.depth += 1
        ways = [self.number, lambda: self.column(scope), lambda: self.column(scope), lambda: self.sum(scope), lambda: self.case(scope),
                lambda: self.scalar(scope), lambda: self.call(scope)]
        out = self.r.choice(ways)()
        self.depth -= 1
        return out

    def sum(self, scope):
        return ["("] + self.expr(scope) + [self.r.choice(["+", "-", "*"])] + self.expr(scope) + [")"]

    def case(self, scope):
        return ["CASE", "WHEN"] + self.cond(scope) + ["THEN"] + self.expr(scope) + self.maybe(0.6, ["ELSE"] + self.expr(scope)) + ["END"]

    def scalar(self, scope):
        inner, refs = self.refs(scope)
        what = self.r.choice([["COUNT", "(", "*", ")"], ["MAX", "("] + self.column(inner) + [")"], ["SUM", "("] + self.column(inner) + [")"]])
        return ["(", "SELECT"] + what + ["FROM"] + refs + self.maybe(0.5, ["WHERE"] + self.cond(scope + inner)) + [")"]

    def call(self, scope):
        e = lambda: self.expr(scope)
        ways = [lambda: ["COALESCE", "("] + e() + [","] + e() + [")"], lambda: ["ABS", "("] + e() + [")"], lambda: ["NULLIF", "("] + e() + [",", "1", ")"],
                lambda: ["GREATEST", "("] + e() + [",", "2", ")"], lambda: ["LENGTH", "("] + self.string(scope) + [")"],
                lambda: ["EXTRACT", "(", "DAY", "FROM", "DATE '2020-01-01'", ")"], lambda: ["POSITION", "(", "'a'", "IN", "'b'", ")"]]
        if self.is_maria:
            ways += [lambda: ["IF", "("] + self.cond(scope) + [","] + e() + [","] + e() + [")"], lambda: ["IFNULL", "("] + e() + [",", "0", ")"],
                     lambda: ["CAST", "("] + e() + ["AS", "SIGNED", ")"], lambda: ["INTERVAL", "("] + e() + [",", "1", ")"],
                     lambda: ["CONVERT", "("] + e() + [",", "CHAR", ")"], lambda: ["MOD", "("] + e() + [",", "2", ")"]]
        else:
            ways += [lambda: ["CAST", "("] + e() + ["AS", "int", ")"], lambda: ["("] + e() + [")", "::", "int"],
                     lambda: ["cardinality", "(", "ARRAY", "(", "SELECT"] + ["1", "FROM"] + self.table() + [")", ")"],
                     lambda: ["pg_catalog", ".", "abs", "("] + e() + [")"], lambda: ["("] + e() + ["OPERATOR", "(", "pg_catalog", ".", "+", ")", "1", ")"]]
        return self.r.choice(ways)()

    def string(self, scope):
        ways = [["'abc'"], ["TRIM", "(", "LEADING", "'x'", "FROM", "'xy'", ")"], ["SUBSTRING", "(", "'abc'", "FROM", "2", "FOR", "1", ")"],
                ["TRIM", "(", "'xy'", ")"], ["UPPER", "(", "'it''s'", ")"], ["LOWER", "(", "' FROM x'", ")"]]
        ways.append(["CONCAT", "(", "'a'", ","] + self.expr(scope) + [")"])
        if not self.is_maria:
            ways += [["overlay", "(", "'abc'", "PLACING", "'x'", "FROM", "1", ")"], ["(", "'a'", "COLLATE", '"C"', ")"]]
        return self.r.choice(ways)

    def cond(self, scope):
        if self.depth > 5:
            return self.column(scope) + ["=", "1"]
        self.depth += 1
        e = lambda: self.expr(scope)
        ways = [lambda: e() + [self.r.choice(["=", "<", ">=", "<>", "!="])] + e(), lambda: e() + ["IN", "("] + self.one_column(scope) + [")"],
                lambda: ["EXISTS", "("] + self.query(scope) + [")"], lambda: ["NOT", "("] + self.cond(scope) + [")"],
                lambda: ["("] + self.cond(scope) + [self.r.choice(["AND", "OR"])] + self.cond(scope) + [")"], lambda: e() + ["BETWEEN"] + e() + ["AND"] + e(),
                lambda: e() + ["IS", "NOT", "NULL"], lambda: e() + ["IN", "("] + e() + [","] + e() + [")"],
                lambda: self.string(scope) + ["LIKE", "'%x'"], lambda: e() + ["=", self.r.choice(["ANY", "ALL", "SOME"]), "("] + self.one_column(scope) + [")"],
                lambda: ["("] + e() + [","] + e() + [")", "IN", "("] + self.query(scope) + [")"],
                lambda: self.literal() + ["IS", "NOT", "NULL"]]
        if self.is_maria:
            ways += [lambda: e() + ["<=>"] + e(), lambda: e() + ["DIV", "2"], lambda: e() + ["&&"] + e(), lambda: self.string(scope) + ["REGEXP", "'a'"]]
        else:
            ways += [lambda: e() + ["IS", "DISTINCT", "FROM"] + e(), lambda: e() + ["IS", "NOT", "DISTINCT", "FROM"] + e(),
                     lambda: ["("] + e() + ["IS", "NULL", ")", "IS", "TRUE"], lambda: self.string(scope) + ["~", "'a'"]]
        out = self.r.choice(ways)()
        self.depth -= 1
        return out

    def one_column(self, scope):
        inner, refs = self.refs(scope)
        return ["SELECT"] + self.expr(scope + inner) + ["FROM"] + refs + self.maybe(0.4, ["WHERE"] + self.cond(scope + inner))

    # ------------------------------------------------------------ what FROM names

    def as_name(self, alias, tokens):
        return tokens + self.maybe(0.5, ["AS"]) + [NAME + alias]

    def ref(self, outer):
        """Names to refer by, tokens."""
        way = self.r.random()
        alias = self.alias()
        if self.depth > 4 or way < 0.62:
            table = self.table()
            if not self.is_maria:
                table = self.maybe(0.08, ["ONLY"]) + table
                table += self.maybe(0.05, ["*"]) if table[0] != "ONLY" else []
            elif self.r.random() < 0.04:
                return [alias], self.as_name(alias, table) + [self.r.choice(["USE", "FORCE", "IGNORE"]), "INDEX", "("] + [NAME + "PRIMARY"] + [")"]
            tail = [] if self.is_maria or self.r.random() > 0.05 else ["TABLESAMPLE", "SYSTEM", "(", "100", ")"]
            if self.r.random() < 0.05 and not self.is_maria:
                return [alias], self.as_name(alias, table) + ["(", NAME + "i", ",", NAME + "j", ")"] + tail
            return [alias], self.as_name(alias, table) + tail
        self.depth += 1
        if way < 0.8:
            tokens = self.maybe(0 if self.is_maria else 0.1, ["LATERAL"])
            tokens += ["("] + self.query([] if not tokens else []) + [")"]
            names, out = [alias], self.as_name(alias, tokens) + self.maybe(0 if self.is_maria else 0.2, ["(", NAME + "i", ",", NAME + "j", ")"])
        elif way < 0.93 or self.is_maria:
            names, out = self.refs(outer, joined=True)
            out = ["("] + out + [")"]
        else:
            out = self.as_name(alias, ["generate_series", "(", "1", ",", "2", ")"] + self.maybe(0.0, [])) + ["(", NAME + "i", ")"]
            out = ["("] + ["SELECT"] + [NAME + alias, ".", "i", ",", "2", "AS", NAME + "j", "FROM"] + out + [")"]
            names, out = [alias], self.as_name(alias, out)
        self.depth -= 1
        return names, out

    def join(self, left, names):
        word = self.r.choice([["JOIN"], ["INNER", "JOIN"], ["LEFT", "JOIN"], ["LEFT", "OUTER", "JOIN"], ["RIGHT", "JOIN"], ["CROSS", "JOIN"]]
                             + ([["STRAIGHT_JOIN"]] if self.is_maria else [["FULL", "JOIN"]]))
        more, right = self.ref([])
        both = names + more
        if word[0] == "CROSS":
            return both, left + word + right
        if word[0] == "FULL":
            return both, left + word + right + ["ON", NAME + names[0], ".", "i", "=", NAME + more[0], ".", "i"]
        return both, left + word + right + ["ON"] + self.cond([names[0], more[0]])

    def refs(self, outer, joined=False):
        names, tokens = self.ref(outer)
        for _ in range(self.r.choice([0, 0, 0, 1, 1, 2] if not joined else [0, 1])):
            if self.r.random() < 0.5 or joined:
                names, tokens = self.join(tokens, names)
            else:
                more, right = self.ref(outer)
                names, tokens = names + more, tokens + [","] + right
        return names, tokens

    # ------------------------------------------------------------ queries of two columns

    def query(self, outer=()):
        outer = list(outer)
        self.depth += 1
        way = self.r.random()
        if self.depth > 4 or way < 0.72:
            out = self.select(outer)
        elif way < 0.86:
            word = self.r.choice(["UNION", "UNION", "EXCEPT", "INTERSECT"])
            out = self.operand(outer) + [word] + self.maybe(0.3, ["ALL"]) + self.operand(outer)
            out += self.maybe(0.15, ["ORDER", "BY", "1"]) + self.maybe(0.15, ["LIMIT", "3"])
        elif way < 0.9:
            out = ["VALUES", "(", "1", ",", "2", ")", ",", "("] + self.scalar(outer) + [",", "4", ")"]
        elif way < 0.96 and self.depth < 3:
            out = self.with_query(outer)
        else:
            out = self.select(outer)
        self.depth -= 1
        return out

    def operand(self, outer):
        out = self.select(outer)
        return ["("] + out + [")"] if self.r.random() < 0.4 else [t for t in out]

    def with_head(self):
        """Tokens of WITH, and the name that it gives."""
        name = self.r.choice(["w1", "w2", "secret", "a", "q"])
        columns = self.maybe(0.3, ["(", NAME + "i", ",", NAME + "j", ")"])
        inner = self.query()
        if self.r.random() < 0.2:
            inner = ["SELECT", "1", "AS", "i", ",", "2", "AS", "j", "UNION", "SELECT", NAME + name, ".", "i", "+", "1", ",", "2", "FROM", NAME + name, "WHERE", NAME + name, ".", "i", "<", "3"]
            return ["WITH", "RECURSIVE", NAME + name] + columns + ["AS", "("] + inner + [")"], name
        middle = [] if self.is_maria else self.maybe(0.2, ["MATERIALIZED"]) or self.maybe(0.1, ["NOT", "MATERIALIZED"])
        out = ["WITH", NAME + name] + columns + ["AS"] + middle + ["("] + inner + [")"]
        if self.r.random() < 0.3:
            out += [",", NAME + "w9", "AS", "(", "SELECT", "i", ",", "j", "FROM", NAME + name, ")"]
        return out, name

    def with_query(self, outer):
        head, name = self.with_head()
        main = ["SELECT", NAME + "k", ".", "i", ",", NAME + "k", ".", "j", "FROM", NAME + name, NAME + "k"]
        if self.r.random() < 0.5:
            more, right = self.ref(outer)
            main += [self.r.choice([",", "CROSS"])]
            main += (["JOIN"] if main[-1] == "CROSS" else []) + right
        return head + main

    def window(self, scope):
        return [self.r.choice(["ROW_NUMBER", "RANK"]), "(", ")", "OVER", "(", "PARTITION", "BY"] + self.column(scope) + ["ORDER", "BY"] + self.column(scope) + [")"]

    def select(self, outer):
        names, refs = self.refs(outer)
        scope = outer + names
        first, second = self.expr(scope), self.expr(scope)
        if self.r.random() < 0.05:
            second = self.window(names)
        out = ["SELECT"] + self.maybe(0.08, ["DISTINCT"])
        if self.is_maria:
            out += self.maybe(0.03, ["SQL_CALC_FOUND_ROWS"]) if self.depth == 1 else []
        out += first + ["AS", NAME + "i", ","] + second + self.maybe(0.5, ["AS"] if not self.is_maria else []) + [NAME + "j", "FROM"] + refs
        out += self.maybe(0.5, ["WHERE"] + self.cond(scope))
        if self.r.random() < 0.08 and second[0] not in ("ROW_NUMBER", "RANK"):
            out[out.index("SELECT") + 1:out.index("FROM")] = []
            out = ["SELECT", "COUNT", "(", "*", ")", "AS", NAME + "i", ",", "1", "AS", NAME + "j", "FROM"] + refs + ["GROUP", "BY"] + self.column(names)
            out += self.maybe(0.4, ["HAVING", "COUNT", "(", "*", ")", ">", "0"])
        elif self.depth == 1:
            out += self.maybe(0.2, ["ORDER", "BY"] + self.expr(names)) + self.maybe(0.2, ["LIMIT", "2"] + self.maybe(0.3, ["OFFSET", "1"]))
            out += self.maybe(0.06, ["FOR", "UPDATE"] if "DISTINCT" not in out else [])
            if self.is_maria:
                out += self.maybe(0.04, ["LOCK", "IN", "SHARE", "MODE"] if "FOR" not in out else [])
        return out

    # ------------------------------------------------------------ statements

    def columns(self):
        return ["(", NAME + "i", ",", NAME + "j", ")"]

    def insert(self):
        word = ["INSERT"] if not self.is_maria or self.r.random() < 0.7 else ["REPLACE"]
        head = word + (self.maybe(0.2, ["IGNORE"]) if self.is_maria and word == ["INSERT"] else [])
        head += ["INTO"] if not self.is_maria or self.r.random() < 0.8 else []
        head += self.table()
        way = self.r.random()
        if way < 0.4:
            body = self.columns() + ["VALUES", "("] + self.expr([]) + [","] + self.expr([]) + [")"] + self.maybe(0.3, [",", "(", "1", ",", "DEFAULT", ")"])
        elif way < 0.55 and self.is_maria:
            return head + ["SET", NAME + "i", "="] + self.expr([]) + [",", "j", "=", "1"]
        else:
            body = self.columns() + self.query()
        if self.is_maria and word == ["INSERT"]:
            body += self.maybe(0.2, ["ON", "DUPLICATE", "KEY", "UPDATE", NAME + "j", "="] + self.expr([]))
        elif not self.is_maria:
            body += self.maybe(0.2, ["ON", "CONFLICT", "DO", "NOTHING"]) + self.maybe(0.2, ["RETURNING", NAME + "i", ","] + self.expr([]))
        return head + body

    def update(self):
        alias = self.alias()
        if self.is_maria and self.r.random() < 0.4:
            names, refs = self.refs([])
            simple, tokens = [alias], self.as_name(alias, self.table())
            glue = self.r.choice([[","], ["JOIN"]])
            return ["UPDATE"] + tokens + glue + refs + ["SET", NAME + alias, ".", "j", "="] + self.expr(simple + names) + self.maybe(0.6, ["WHERE"] + self.cond(simple + names))
        out = ["UPDATE"] + (["IGNORE"] if self.is_maria and self.r.random() < 0.1 else []) + self.as_name(alias, self.table()) + ["SET", NAME + "j", "="]
        scope = [alias]
        out += ["("] + self.expr(scope) + [")"]
        if not self.is_maria:
            if self.r.random() < 0.4:
                names, refs = self.refs([])
                out += ["FROM"] + refs
                scope = scope + names
            out += self.maybe(0.6, ["WHERE"] + self.cond(scope)) + self.maybe(0.2, ["RETURNING", NAME + alias, ".", "*"])
        else:
            out += self.maybe(0.6, ["WHERE"] + self.cond(scope)) + self.maybe(0.2, ["ORDER", "BY", "1", "LIMIT", "1"])
        return out

    def delete(self):
        alias = self.alias()
        if not self.is_maria:
            scope, out = [alias], ["DELETE", "FROM"] + self.maybe(0.1, ["ONLY"]) + self.as_name(alias, self.table())
            if self.r.random() < 0.4:
                names, refs = self.refs([])
                out, scope = out + ["USING"] + refs, scope + names
            return out + self.maybe(0.7, ["WHERE"] + self.cond(scope)) + self.maybe(0.2, ["RETURNING", "1"])
        way = self.r.random()
        names, refs = self.refs([])
        if way < 0.3:
            return ["DELETE", NAME + alias, "FROM"] + self.as_name(alias, self.table()) + [","] + refs + self.maybe(0.6, ["WHERE"] + self.cond(names + [alias]))
        if way < 0.5:
            return ["DELETE", "FROM", NAME + alias, "USING"] + self.as_name(alias, self.table()) + ["JOIN"] + refs + self.maybe(0.6, ["WHERE"] + self.cond(names + [alias]))
        return ["DELETE", "FROM"] + self.table() + self.maybe(0.7, ["WHERE"] + self.cond([])) + self.maybe(0.2, ["LIMIT", "1"]) + self.maybe(0.1, ["RETURNING", "i"])

    def define(self):
        t, q = self.table, self.query
        if self.is_maria:
            ways = [lambda: ["CREATE", "OR", "REPLACE", "TABLE", "n1"] + self.maybe(0.5, ["AS"]) + self.select([]), lambda: ["CREATE", "TABLE", "IF", "NOT", "EXISTS", "n1", "LIKE"] + t(),
                    lambda: ["CREATE", "OR", "REPLACE", "VIEW", "n2", "AS"] + self.select([]), lambda: ["TRUNCATE"] + self.maybe(0.5, ["TABLE"]) + t(),
                    lambda: ["DROP", "TABLE", "IF", "EXISTS", "n1", ","] + t(), lambda: ["ALTER", "TABLE"] + t() + ["ADD", "COLUMN", "z", "int", "DEFAULT", "1"],
                    lambda: ["RENAME", "TABLE"] + t() + ["TO", NAME + "n3"], lambda: ["ALTER", "TABLE"] + t() + ["RENAME", "TO", NAME + "n4"],
                    lambda: ["CREATE", "INDEX", "k", "ON"] + t() + ["(", "j", ")"], lambda: ["LOCK", "TABLES"] + t() + ["READ", ",", NAME + "n1", "WRITE"],
                    lambda: ["CREATE", "TABLE", "n5", "(", "i", "int", ",", "FOREIGN", "KEY", "(", "i", ")", "REFERENCES"] + t() + ["(", "i", ")", ")"],
                    lambda: ["CREATE", "TEMPORARY", "TABLE", "n6"] + self.select([]), lambda: ["CREATE", "TABLE", "n7", "(", "LIKE"] + t() + [")"]]
        else:
            ways = [lambda: ["CREATE", "TABLE", "n1", "AS"] + q(), lambda: ["CREATE", "TABLE", "n1", "(", "LIKE"] + t() + [")"], lambda: ["CREATE", "VIEW", "n2", "AS"] + q(),
                    lambda: ["TRUNCATE"] + self.maybe(0.5, ["TABLE"]) + t() + [","] + t(), lambda: ["DROP", "TABLE"] + t(), lambda: ["ALTER", "TABLE"] + t() + ["ADD", "COLUMN", "z", "int", "DEFAULT", "1"],
                    lambda: ["ALTER", "TABLE"] + t() + ["RENAME", "TO", "n3"], lambda: ["CREATE", "INDEX", "k", "ON"] + t() + ["(", "j", ")"], lambda: ["LOCK", "TABLE"] + t() + [","] + t(),
                    lambda: ["CREATE", "TEMP", "TABLE", "n6", "AS"] + q(), lambda: ["CREATE", "TABLE", "n5", "(", ")", "INHERITS", "("] + t() + [")"],
                    lambda: ["COMMENT", "ON", "TABLE"] + t() + ["IS", "'x'"], lambda: ["CREATE", "MATERIALIZED", "VIEW", "n7", "AS"] + q(), lambda: ["DECLARE", "n8", "CURSOR", "FOR"] + q(),
                    lambda: ["GRANT", "SELECT", "ON"] + t() + ["TO", "PUBLIC"], lambda: ["ANALYZE"] + t(),
                    lambda: ["CREATE", "TABLE", "n9", "(", "i", "int", "DEFAULT", "1", ",", "CHECK", "(", "i", ">", "0", ")", ")"]]
        return self.r.choice(ways)()

    def other(self):
        q, t = self.query, self.table
        if self.is_maria:
            ways = [lambda: ["EXPLAIN"] + self.maybe(0.3, ["FORMAT", "=", "JSON"]) + self.select([]), lambda: ["EXPLAIN"] + self.update(), lambda: ["DO"] + self.expr([]),
                    lambda: ["SET", "@v", ":=", "("] + self.scalar([]) + [")", ",", "@w", "="] + self.expr([]), lambda: ["SHOW", "COLUMNS", "FROM"] + t(),
                    lambda: ["DESCRIBE"] + t(), lambda: ["SHOW", "CREATE", "TABLE"] + t(), lambda: ["SHOW", "INDEX", "FROM"] + t(), lambda: ["CHECKSUM", "TABLE"] + t() + [","] + t(),
                    lambda: ["ANALYZE"] + self.select([]), lambda: ["SHOW", "VARIABLES", "WHERE", "(", "SELECT", "COUNT", "(", "*", ")", "FROM"] + t() + [")", ">", "0"], lambda: ["CHECK", "TABLE"] + t(),
                    lambda: ["SHOW", "FULL", "COLUMNS", "FROM", NAME + "secret", "FROM", NAME + "d2"], lambda: ["ANALYZE", "TABLE"] + t(), lambda: ["SET", "@v", "=", "1"],
                    lambda: ["SELECT", "1", "INTO", "@v"], lambda: ["SELECT", "MAX", "(", "i", ")", "FROM"] + t() + ["INTO", "@v"]]
        else:
            ways = [lambda: ["EXPLAIN"] + self.maybe(0.3, ["(", "COSTS", "off", ")"]) + q(), lambda: ["EXPLAIN", "ANALYZE"] + self.update(), lambda: ["EXPLAIN", "VERBOSE"] + q(),
                    lambda: ["COPY", "("] + q() + [")", "TO", "STDOUT"], lambda: ["COPY"] + t() + ["TO", "STDOUT"], lambda: ["COPY"] + t() + self.columns() + ["FROM", "STDIN"],
                    lambda: self.with_head()[0] + self.insert(), lambda: self.with_head()[0] + self.delete(), lambda: ["SELECT", "nextval", "(", "'s'", ")"] + ["FROM"] + t(),
                    self.merge, lambda: ["TABLE"] + t(), lambda: self.with_head()[0] + self.update(), lambda: ["SHOW", "search_path"]]
        return self.r.choice(ways)()

    def merge(self):
        a, b = self.alias(), self.alias()
        source = self.table() if self.r.random() < 0.5 else ["("] + self.query() + [")"]
        return (["MERGE", "INTO"] + self.as_name(a, self.table()) + ["USING"] + self.as_name(b, source) + ["ON"] + self.cond([a, b])
                + ["WHEN", "MATCHED"] + self.maybe(0.3, ["AND"] + self.cond([a, b])) + ["THEN", "UPDATE", "SET", NAME + "j", "="] + self.expr([a, b])
                + self.maybe(0.4, ["WHEN", "NOT", "MATCHED", "THEN", "INSERT"] + self.columns() + ["VALUES", "(", "1", ","] + self.expr([b]) + [")"]))

    def statement(self):
        self.depth = self.n_alias = 0
        way = self.r.random()
        if way < 0.55:
            return self.query()
        if way < 0.66:
            return self.insert()
        if way < 0.77:
            return self.update()
        if way < 0.87:
            return self.delete()
        if way < 0.97 or (self.is_maria and way < 0.985):
            return self.other()
        return self.define()


# ---------------------------------------------------------------- how it is written

BLANKS = {MARIA: [" ", " ", " ", "  ", "\t", "\n", "\r\n", "\f", "\v", "/**/", "/* x */", " -- x'\n", "#y\"\n", "/*/ FROM b */", " --\t/*\n", "/* ; */", "/*! */", "/*!40000 */", "/*x*//**/"],
          POSTGRES: [" ", " ", " ", "  ", "\t", "\n", "\r\n", "\f", "\f", "/**/", "/* x */", "-- x'\n", "/* /* */ FROM b */", "--$$\n", "/* ; */", "/*'*/", "/**//**/", "--\r"]}
WORDY = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$\"'`@\\")
SIGNS = set("+-*/<>=~!@#%^&|?.:")
PIECES = {MARIA: ["1.", "1e", ".5", "1e5", "\\N", "@x:=", "{", "}", "/*!", "*/", "/*!50000", "/*!99999", "/*M!", "/*!100000", "--", "#", "'", '"', "`", "\\", ";", "\xa0", "\x00", "\x1a", "FOR", "AS", "WITH",
                  "OFFSET", "WINDOW", "INTO", "FROM", "JOIN", "ON", "USING", "PROCEDURE", "(", ")", ",", ".", "@", "@@", "SELECT", "UNION", "LATERAL", "VALUES", "RETURNING", "TABLE", "PARTITION", "ROW", "OJ", "SYSTEM_TIME",
                  "FETCH", "EXCEPT", "`a`", "\"a\"", "`d2`.", "d2.", ".a", "PERIOD", "INTERSECT", "IGNORE", "STRAIGHT_JOIN", "/*+ x */", "!", "NATURAL", "LIMIT", "ROWS", "EXAMINED", "NEXT VALUE FOR", "CURSOR", "VALUE", "LEFT", "DUAL",
                  "secret", "a", "b", "FOR SYSTEM_TIME ALL", "FOR PORTION OF", "FOR UPDATE", "SKIP LOCKED", "WAIT 1", "OFFSET 1 ROWS", "FETCH FIRST 1 ROWS ONLY", "NATURAL JOIN", "-1", "*", "d2 . secret", "INDEX", "KEY", "BY", "SET"],
          POSTGRES: ["\v", "1.", "1e", ".5", "1e5", "{", "/*", "*/", "--", "'", '"', "$$", "$a$", "$1", "E'", "U&\"", "\\", ";", "\xa0", "\x1a", "FOR", "AS", "WITH", "ORDINALITY", "OFFSET", "WINDOW", "INTO", "FROM", "JOIN", "ON", "USING",
                     "(", ")", ",", ".", "::", "SELECT", "UNION", "LATERAL", "VALUES", "RETURNING", "TABLE", "ONLY", "ROW", "ROWS FROM", "TABLESAMPLE", "FETCH", "EXCEPT", "\"a\"", "x.", ".a", "INTERSECT", "NATURAL", "LIMIT", "ROWS",
                     "secret", "a", "b", "ISNULL", "NOTNULL", "DISTINCT", "IS", "CONFLICT", "NATURAL JOIN", "*", "x . secret", "SET", "FOR SHARE", "OF", "FILTER (WHERE true)", "OVER ()", "WITHIN GROUP", "COLLATE", "ARRAY", "[1]", "!",
                     "@", "public.", "DEFAULT", "SEARCH", "CYCLE", "GROUPING SETS", "WHERE CURRENT OF", "FETCH FIRST 1 ROWS ONLY", "AND", "OR", "NOT", "CASE", "END", "OPERATOR(pg_catalog.+)", "INHERITS", "PARTITION", "PASSING"]}


class Writer:
    """How tokens become text. A rough writer also breaks a statement here and there."""

    def __init__(self, rng, dialect):
        self.r = rng
        self.dialect = dialect

    def token(self, t):
        r = self.r
        if t.startswith(NAME):
            return self.name(t[1:])
        if t.isupper() and t.isidentifier():
            way = r.random()
            return t if way < 0.5 else t.lower() if way < 0.8 else "".join(r.choice((c, c.lower())) for c in t)
        return t

    def name(self, text):
        is_plain = all(c.isalnum() or c == "_" for c in text) and text.lower() not in ("offset", "key", "from")
        if self.dialect == MARIA:
            return text if is_plain and self.r.random() < 0.7 else "`" + text.replace("`", "``") + "`"
        if not is_plain or text != text.lower() or self.r.random() < 0.2:
            return '"' + text.replace('"', '""') + '"'
        return text if self.r.random() < 0.7 else "".join(self.r.choice((c, c.upper())) for c in text)

    def blank(self):
        r = self.r
        out = r.choice(BLANKS[self.dialect])
        return out if r.random() < 0.9 else out + r.choice(BLANKS[self.dialect])

    def between(self, left, right, is_quiet):
        a, b = left[-1], right[0]
        is_needed = (a in WORDY and b in WORDY) or (a in SIGNS and b in SIGNS) or a == "." or (a.isdigit() and b == ".")
        is_call = b == "(" and self.dialect == MARIA and (left[-1].isalnum() or left[-1] == "_")
        if left[-1] == "." and left == "." or right == ".":
            return "" if self.r.random() < 0.9 or is_quiet else self.blank()
        if is_call and left.upper() in ("COUNT", "MAX", "SUM", "TRIM", "SUBSTRING", "EXTRACT", "POSITION", "CAST"):
            return ""
        if is_quiet:
            return " "
        return self.blank() if is_needed or self.r.random() < 0.5 else ""

    def write(self, tokens):
        is_quiet = self.r.random() < 0.2
        words = [self.token(t) for t in tokens]
        if self.dialect == MARIA and self.r.random() < 0.08:
            self.wrap(words)
        out = [words[0]]
        for left, right in zip(words, words[1:]):
            out.append(self.between(left, right, is_quiet))
            out.append(right)
        if self.r.random() < 0.1:
            out.insert(0, self.blank())
        if self.r.random() < 0.1:
            out.append(self.r.choice([";", " ; ", self.blank(), ";" + self.blank()]))
        return "".join(out)

    def wrap(self, words):
        """Some of the text in a comment that the server executes."""
        at = self.r.randrange(len(words))
        to = min(len(words), at + self.r.choice([1, 1, 2, 5]))
        words[at] = self.r.choice(["/*!", "/*!40101 ", "/*!50000", "/*!00000 "]) + " " * (words[at][0].isdigit()) + words[at]
        words[to - 1] += "*/"

    def rough(self, tokens):
        """One or two changes that leave few statements valid, and those that stay valid interesting."""
        r = self.r
        tokens = list(tokens)
        for _ in range(r.choice([1, 1, 2])):
            at = r.randrange(len(tokens))
            way = r.random()
            if way < 0.2 and len(tokens) > 2:
                del tokens[at]
            elif way < 0.3:
                tokens.insert(at, tokens[at])
            elif way < 0.4:
                to = r.randrange(len(tokens))
                tokens[at], tokens[to] = tokens[to], tokens[at]
            elif way < 0.85:
                tokens.insert(at, r.choice(PIECES[self.dialect]))
            else:
                tokens[at] = r.choice(PIECES[self.dialect])
        return tokens


def statements(seed, dialect):
    """Endless: (tokens, text)."""
    rng = random.Random(seed)
    grammar, writer = Grammar(rng, dialect), Writer(rng, dialect)
    before = None
    while True:
        tokens = grammar.statement()
        if rng.random() < 0.25:
            tokens = writer.rough(tokens)
        if before and rng.random() < 0.03:
            tokens = before + [";"] + tokens
        before = tokens if len(tokens) < 60 else before
        if len(tokens) < 400:
            yield tokens, writer.write(tokens)


# ---------------------------------------------------------------- smaller

class Plain(random.Random):
    """Never chooses a way that is not the plainest."""

    def random(self):
        return 0.0


def plainly(tokens, dialect):
    """The tokens with one blank between, where it does not matter."""
    writer = Writer(Plain(), dialect)
    words = [writer.name(t[1:]) if t.startswith(NAME) else t for t in tokens]
    text = " ".join(words).replace(" . ", ".")
    return re.sub(r"\b(COUNT|MAX|SUM|TRIM|SUBSTRING|EXTRACT|POSITION|CAST) \(", r"\1(", text)


def smaller(tokens, still_fails, tries=400):
    """A shorter list of tokens that still fails: halves, quarters ... single ones are left out."""
    size = len(tokens) // 2
    while size and tries > 0:
        at = 0
        while at < len(tokens) and tries > 0:
            shorter = tokens[:at] + tokens[at + size:]
            tries -= 1
            if shorter and still_fails(shorter):
                tokens = shorter
            else:
                at += size
        size //= 2
    return tokens

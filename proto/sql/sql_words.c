/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two lists. The second is an allow-list: a name that is missing here makes statements that call it
 * unproven, since a function that somebody stored in the database may read any table. Functions of
 * the servers that reach files, sequences or other statements are left out on purpose.
 *
 * clang-format is off for the second list: one word per line would make it the longest file here.
 */
#include "sql/sql_words.h"

#include "sql/sql_list.h"

#define SQL_WORD_TEXT(name, text, reserved) text,
static const char *const words[] = {SQL_WORDS(SQL_WORD_TEXT)};
#undef SQL_WORD_TEXT

#define SQL_WORD_RESERVED(name, text, reserved) reserved,
static const bool is_reserved[] = {SQL_WORDS(SQL_WORD_RESERVED)};
#undef SQL_WORD_RESERVED

_Static_assert(SQL_LIST_LENGTH(words) == SQL_N_WORDS - 1, "row n is word n + 1");
_Static_assert(SQL_N_WORDS <= 255, "a word is kept in a uint8_t");

/* clang-format off */
static const char *const callables[] = {
	"abs", "acos", "adddate", "addtime", "aes_decrypt", "aes_encrypt", "against", "all",
	"and", "any", "any_value", "as", "ascii", "asin", "astext", "atan", "atan2", "avg",
	"benchmark", "between", "bin", "bin_to_uuid", "binary", "bit_and", "bit_count",
	"bit_length", "bit_or", "bit_xor", "by", "case", "cast", "ceil", "ceiling", "char",
	"char_length", "character_length", "charset", "chr", "coalesce", "coercibility",
	"collate", "collation", "compress", "concat", "concat_ws", "connection_id", "conv",
	"convert", "convert_tz", "cos", "cot", "count", "crc32", "crc32c", "cume_dist", "curdate",
	"current_date", "current_role", "current_time", "current_timestamp", "current_user",
	"curtime", "database", "date", "date_add", "date_format", "date_sub", "datediff",
	"datetime", "day", "dayname", "dayofmonth", "dayofweek", "dayofyear", "decimal", "decode",
	"default", "degrees", "dense_rank", "des_decrypt", "des_encrypt", "distinct",
	"distinctrow", "div", "double", "else", "elt", "encode", "encrypt", "escape", "except",
	"exists", "exp", "export_set", "extract", "extractvalue", "field", "find_in_set",
	"first_value", "float", "floor", "format", "format_bytes", "format_pico_time",
	"found_rows", "from_base64", "from_days", "from_unixtime", "geometrycollection",
	"geomfromtext", "get_format", "get_lock", "glength", "greatest", "group", "group_concat",
	"grouping", "gtid_subset", "gtid_subtract", "having", "hex", "high_priority", "hour",
	"icu_version", "if", "ifnull", "in", "index", "inet6_aton", "inet6_ntoa", "inet_aton",
	"inet_ntoa", "insert", "instr", "intersect", "interval", "is", "is_free_lock", "is_ipv4",
	"is_ipv4_compat", "is_ipv4_mapped", "is_ipv6", "is_used_lock", "is_uuid", "isnull",
	"json_array", "json_array_append", "json_array_insert", "json_arrayagg", "json_compact",
	"json_contains", "json_contains_path", "json_depth", "json_detailed", "json_equals",
	"json_exists", "json_extract", "json_insert", "json_keys", "json_length", "json_loose",
	"json_merge", "json_merge_patch", "json_merge_preserve", "json_normalize", "json_object",
	"json_objectagg", "json_overlaps", "json_pretty", "json_query", "json_quote",
	"json_remove", "json_replace", "json_schema_valid", "json_schema_validation_report",
	"json_search", "json_set", "json_storage_free", "json_storage_size", "json_type",
	"json_unquote", "json_valid", "json_value", "key", "lag", "last_day", "last_insert_id",
	"last_value", "lcase", "lead", "least", "left", "length", "length_b", "lengthb", "like",
	"limit", "linestring", "ln", "localtime", "localtimestamp", "locate", "log", "log10",
	"log2", "lower", "lpad", "ltrim", "make_set", "makedate", "maketime", "master_gtid_wait",
	"master_pos_wait", "match", "max", "mbrcontains", "mbrcoveredby", "mbrcovers",
	"mbrdisjoint", "mbrequal", "mbrequals", "mbrintersects", "mbroverlaps", "mbrtouches",
	"mbrwithin", "md5", "median", "microsecond", "mid", "min", "minute", "mod", "month",
	"monthname", "multilinestring", "multipoint", "multipolygon", "name_const",
	"natural_sort_key", "nchar", "not", "now", "nth_value", "ntile", "nullif", "nvl", "nvl2",
	"oct", "octet_length", "of", "offset", "old_password", "on", "or", "ord", "order", "over",
	"partition", "password", "percent_rank", "percentile_cont", "percentile_disc",
	"period_add", "period_diff", "pi", "point", "pointfromtext", "polygon", "position", "pow",
	"power", "ps_current_thread_id", "quarter", "quote", "radians", "rand", "random_bytes",
	"rank", "regexp", "regexp_instr", "regexp_like", "regexp_replace", "regexp_substr",
	"release_all_locks", "release_lock", "repeat", "replace", "returning", "reverse", "right",
	"rlike", "round", "row", "row_count", "row_number", "rpad", "rtrim", "schema",
	"sec_to_time", "second", "select", "session_user", "set", "sformat", "sha", "sha1",
	"sha2", "sign", "signed", "sin", "sleep", "some", "soundex", "source_pos_wait", "space",
	"sql_big_result", "sql_buffer_result", "sql_cache", "sql_calc_found_rows", "sql_no_cache",
	"sql_small_result", "sqrt", "st_area", "st_asbinary", "st_asgeojson", "st_astext",
	"st_aswkb", "st_aswkt", "st_buffer", "st_centroid", "st_contains", "st_crosses",
	"st_difference", "st_dimension", "st_disjoint", "st_distance", "st_distance_sphere",
	"st_endpoint", "st_envelope", "st_equals", "st_geomcollfromtext", "st_geometryfromtext",
	"st_geometryn", "st_geometrytype", "st_geomfromgeojson", "st_geomfromtext",
	"st_geomfromwkb", "st_intersection", "st_intersects", "st_isclosed", "st_isempty",
	"st_issimple", "st_isvalid", "st_latitude", "st_length", "st_longitude",
	"st_makeenvelope", "st_numgeometries", "st_numpoints", "st_overlaps", "st_pointfromtext",
	"st_pointn", "st_polyfromtext", "st_polygonfromtext", "st_simplify", "st_srid",
	"st_startpoint", "st_symdifference", "st_touches", "st_transform", "st_union",
	"st_validate", "st_within", "st_x", "st_y", "std", "stddev", "stddev_pop", "stddev_samp",
	"str_to_date", "straight_join", "strcmp", "subdate", "substr", "substring",
	"substring_index", "subtime", "sum", "sysdate", "system_user", "tan", "then", "time",
	"time_format", "time_to_sec", "timediff", "timestamp", "timestampadd", "timestampdiff",
	"to_base64", "to_char", "to_days", "to_seconds", "trim", "trim_oracle", "truncate",
	"ucase", "uncompress", "uncompressed_length", "unhex", "unique", "unix_timestamp",
	"unsigned", "update", "updatexml", "upper", "user", "using", "utc_date", "utc_time",
	"utc_timestamp", "uuid", "uuid_short", "uuid_to_bin", "validate_password_strength",
	"value", "values", "var_pop", "var_samp", "varchar", "variance", "version",
	"wait_for_executed_gtid_set", "week", "weekday", "weekofyear", "weight_string", "when",
	"where", "with", "xor", "year", "yearweek",
};
/* clang-format on */

/* Functions only where the parenthesis follows at once, unless sql_mode has IGNORE_SPACE: `sum (`
 * is a stored function's. */
/* clang-format off */
static const char *const glued[] = {
	"adddate", "bit_and", "bit_or", "bit_xor", "cast", "count", "cume_dist", "curdate",
	"curtime", "date_add", "date_sub", "dense_rank", "extract", "first_value", "group_concat",
	"json_arrayagg", "json_objectagg", "lag", "lead", "max", "median", "mid", "min", "now",
	"nth_value", "ntile", "percent_rank", "percentile_cont", "percentile_disc", "position",
	"rank", "session_user", "std", "stddev", "stddev_pop", "stddev_samp", "subdate", "substr",
	"substring", "sum", "sysdate", "system_user", "trim", "trim_oracle", "var_pop", "var_samp",
	"variance",
};
/* clang-format on */

static const char *const from_takers[] = {"extract", "mid", "substr", "substring", "trim"};

const struct sql_index sql_words = {
	.list = words,
	.at = {0,   5,	 7,   20,  36,	44,  53,  56,  60,
	       70,  71,	 74,  82,  82,	85,  91,  99,  100,
	       113, 128, 136, 144, 147, 151, 152, 152, SQL_LIST_LENGTH(words)},
};

const struct sql_index sql_callables = {
	.list = callables,
	.at = {0,   18,	 29,  62,  85,	96,  108, 119, 123,
	       145, 183, 184, 208, 237, 247, 257, 272, 274,
	       297, 390, 406, 424, 432, 440, 441, 443, SQL_LIST_LENGTH(callables)},
};

enum sql_word sql_word_find(struct bytes text)
{
	const size_t at = sql_index_find(text, &sql_words);
	return at == SIZE_MAX ? SQL_W_NONE : (enum sql_word)(at + 1);
}

const char *sql_word_text(enum sql_word word)
{
	return word == SQL_W_NONE ? "" : words[word - 1];
}

bool sql_word_is_reserved(enum sql_word word)
{
	return word != SQL_W_NONE && is_reserved[word - 1];
}

bool sql_word_is_callable(struct bytes text)
{
	return sql_index_find(text, &sql_callables) != SIZE_MAX;
}

bool sql_word_is_glued(struct bytes text)
{
	return SQL_LIST_HAS(glued, text);
}

bool sql_word_takes_from(struct bytes text)
{
	return SQL_LIST_HAS(from_takers, text);
}

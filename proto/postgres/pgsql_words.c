/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists of words. The longest is an allow-list: a name that is missing there makes statements
 * that call it unproven, since a function that somebody stored may read any table. Functions of the
 * server that reach tables, files, settings or other sessions by a text are left out on purpose:
 * query_to_xml, ts_stat, ts_rewrite, lo_import, pg_read_file, set_config, dblink ...
 *
 * clang-format is off for the lists: one word per line would make this the longest file here.
 */
#include "postgres/pgsql_words.h"

#include "sql/sql_list.h"

#define PGSQL_WORD_ROW(name, text) text,
static const char *const words[] = {PGSQL_WORDS(PGSQL_WORD_ROW)};
#undef PGSQL_WORD_ROW

_Static_assert(SQL_LIST_LENGTH(words) == PGSQL_N_WORDS - 1, "row n is word n + 1");
_Static_assert(PGSQL_N_WORDS <= 255, "a word is kept in a uint8_t");

/* clang-format off */
/* https://www.postgresql.org/docs/current/sql-keywords-appendix.html: reserved, and reserved except
 * for functions and types; of all versions together. */
static const char *const reserved[] = {
	"all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric",
	"authorization", "binary", "both", "case", "cast", "check", "collate", "collation",
	"column", "concurrently", "constraint", "create", "cross", "current_catalog",
	"current_date", "current_role", "current_schema", "current_time", "current_timestamp",
	"current_user", "default", "deferrable", "desc", "distinct", "do", "else", "end",
	"except", "false", "fetch", "for", "foreign", "freeze", "from", "full", "grant", "group",
	"having", "ilike", "in", "initially", "inner", "intersect", "into", "is", "isnull",
	"join", "lateral", "leading", "left", "like", "limit", "localtime", "localtimestamp",
	"natural", "not", "notnull", "null", "offset", "on", "only", "or", "order", "outer",
	"overlaps", "placing", "primary", "references", "returning", "right", "select",
	"session_user", "similar", "some", "symmetric", "system_user", "table", "tablesample",
	"then", "to", "trailing", "true", "union", "unique", "user", "using", "variadic",
	"verbose", "when", "where", "window", "with",
};

static const char *const callables[] = {
	"abbrev", "abs", "aclexplode", "acos", "acosd", "acosh", "age", "all", "always", "and",
	"any", "any_value", "area", "array", "array_agg", "array_dims", "array_fill",
	"array_length", "array_lower", "array_ndims", "array_position", "array_positions",
	"array_remove", "array_replace", "array_reverse", "array_sample", "array_shuffle",
	"array_sort", "array_to_json", "array_to_string", "array_to_tsvector", "array_upper",
	"as", "ascii", "asin", "asind", "asinh", "atan", "atan2", "atan2d", "atand", "atanh",
	"avg", "between", "bit", "bit_and", "bit_count", "bit_length", "bit_or", "bit_xor",
	"bool", "bool_and", "bool_or", "box", "bpchar", "brin", "btree", "btrim", "by",
	"bytea_agg", "cardinality", "case", "casefold", "cast", "cbrt", "ceil", "ceiling",
	"center", "char", "char_length", "character", "character_length", "check", "chr", "cidr",
	"circle", "clock_timestamp", "coalesce", "col_description", "collate", "concat",
	"concat_ws", "conflict", "convert", "convert_from", "convert_to", "corr", "cos", "cosd",
	"cosh", "cot", "cotd", "count", "covar_pop", "covar_samp", "crc32", "crc32c", "cube",
	"cume_dist", "current_database", "current_schema", "current_schemas", "current_setting",
	"current_user", "currval", "date", "date_add", "date_bin", "date_part", "date_subtract",
	"date_trunc", "datemultirange", "daterange", "dec", "decimal", "decode", "default",
	"degrees", "dense_rank", "diagonal", "diameter", "distinct", "div", "else", "encode",
	"end", "enum_first", "enum_last", "enum_range", "erf", "erfc", "escape", "every",
	"except", "exists", "exp", "extract", "factorial", "fetch", "filter", "first_value",
	"float", "float4", "float8", "floor", "force_not_null", "force_null", "force_quote",
	"foreign", "format", "format_type", "from", "gamma", "gcd", "gen_random_uuid",
	"generate_series", "generate_subscripts", "get_bit", "get_byte", "get_current_ts_config",
	"getdatabaseencoding", "gin", "gist", "greatest", "group", "grouping",
	"has_any_column_privilege", "has_column_privilege", "has_database_privilege",
	"has_foreign_data_wrapper_privilege", "has_function_privilege", "has_language_privilege",
	"has_parameter_privilege", "has_schema_privilege", "has_sequence_privilege",
	"has_server_privilege", "has_table_privilege", "has_tablespace_privilege",
	"has_type_privilege", "hash", "having", "height", "host", "hostmask", "identity",
	"ilike", "in", "include", "inet_client_addr", "inet_client_port", "inet_server_addr",
	"inet_server_port", "initcap", "insert", "int2", "int4", "int4multirange", "int4range",
	"int8", "int8multirange", "int8range", "intersect", "interval", "into", "is",
	"is_normalized", "isclosed", "isempty", "isfinite", "ishorizontal", "isnull", "isopen",
	"isparallel", "isperp", "isvertical", "json_agg", "json_array", "json_array_elements",
	"json_array_elements_text", "json_array_length", "json_arrayagg", "json_build_array",
	"json_build_object", "json_each", "json_each_text", "json_exists", "json_object",
	"json_object_agg", "json_object_keys", "json_objectagg", "json_populate_record",
	"json_populate_recordset", "json_query", "json_scalar", "json_serialize",
	"json_strip_nulls", "json_to_record", "json_to_recordset", "json_to_tsvector",
	"json_typeof", "json_value", "jsonb_agg", "jsonb_array_elements",
	"jsonb_array_elements_text", "jsonb_array_length", "jsonb_build_array",
	"jsonb_build_object", "jsonb_each", "jsonb_each_text", "jsonb_insert", "jsonb_object",
	"jsonb_object_agg", "jsonb_object_keys", "jsonb_path_exists", "jsonb_path_exists_tz",
	"jsonb_path_match", "jsonb_path_match_tz", "jsonb_path_query", "jsonb_path_query_array",
	"jsonb_path_query_array_tz", "jsonb_path_query_first", "jsonb_path_query_first_tz",
	"jsonb_path_query_tz", "jsonb_populate_record", "jsonb_populate_recordset",
	"jsonb_pretty", "jsonb_set", "jsonb_set_lax", "jsonb_strip_nulls", "jsonb_to_record",
	"jsonb_to_recordset", "jsonb_to_tsvector", "jsonb_typeof", "justify_days",
	"justify_hours", "justify_interval", "key", "lag", "last_value", "lastval", "lateral",
	"lcm", "lead", "least", "left", "length", "lgamma", "limit", "line", "list", "ln", "log",
	"log10", "lower", "lower_inc", "lower_inf", "lpad", "lseg", "ltrim", "macaddr",
	"macaddr8", "make_date", "make_interval", "make_time", "make_timestamp",
	"make_timestamptz", "masklen", "materialized", "max", "md5", "merge", "min", "min_scale",
	"mod", "mode", "money", "multirange", "mxid_age", "name", "nchar", "netmask", "nextval",
	"normalize", "not", "notnull", "now", "npoints", "nth_value", "ntile", "nullif",
	"num_nonnulls", "num_nulls", "numeric", "nummultirange", "numnode", "numrange",
	"obj_description", "octet_length", "offset", "oid", "oidvectortypes", "on", "only", "or",
	"order", "over", "overlaps", "overlay", "overriding", "parse_ident", "partition", "path",
	"pclose", "percent_rank", "percentile_cont", "percentile_disc", "pg_advisory_lock",
	"pg_advisory_lock_shared", "pg_advisory_unlock", "pg_advisory_unlock_all",
	"pg_advisory_unlock_shared", "pg_advisory_xact_lock", "pg_advisory_xact_lock_shared",
	"pg_backend_pid", "pg_blocking_pids", "pg_char_to_encoding", "pg_client_encoding",
	"pg_collation_actual_version", "pg_collation_for", "pg_collation_is_visible",
	"pg_column_compression", "pg_column_is_updatable", "pg_column_size",
	"pg_conversion_is_visible", "pg_current_snapshot", "pg_current_wal_lsn",
	"pg_current_xact_id", "pg_current_xact_id_if_assigned",
	"pg_database_collation_actual_version", "pg_database_size", "pg_describe_object",
	"pg_encoding_max_length", "pg_encoding_to_char", "pg_filenode_relation",
	"pg_function_is_visible", "pg_get_catalog_foreign_keys", "pg_get_constraintdef",
	"pg_get_expr", "pg_get_function_arg_default", "pg_get_function_arguments",
	"pg_get_function_identity_arguments", "pg_get_function_result",
	"pg_get_function_sqlbody", "pg_get_functiondef", "pg_get_indexdef", "pg_get_keywords",
	"pg_get_object_address", "pg_get_partition_constraintdef", "pg_get_partkeydef",
	"pg_get_replica_identity_index", "pg_get_ruledef", "pg_get_serial_sequence",
	"pg_get_statisticsobjdef", "pg_get_statisticsobjdef_columns",
	"pg_get_statisticsobjdef_expressions", "pg_get_triggerdef", "pg_get_userbyid",
	"pg_get_viewdef", "pg_has_role", "pg_identify_object", "pg_identify_object_as_address",
	"pg_index_column_has_property", "pg_index_has_property", "pg_indexam_has_property",
	"pg_indexes_size", "pg_input_is_valid", "pg_is_in_recovery", "pg_is_other_temp_schema",
	"pg_last_wal_receive_lsn", "pg_last_wal_replay_lsn", "pg_last_xact_replay_timestamp",
	"pg_listening_channels", "pg_lsn", "pg_my_temp_schema", "pg_opclass_is_visible",
	"pg_operator_is_visible", "pg_opfamily_is_visible", "pg_partition_root",
	"pg_postmaster_start_time", "pg_relation_filenode", "pg_relation_filepath",
	"pg_relation_is_publishable", "pg_relation_is_updatable", "pg_relation_size",
	"pg_settings_get_flags", "pg_size_bytes", "pg_size_pretty", "pg_sleep", "pg_sleep_for",
	"pg_sleep_until", "pg_snapshot_xip", "pg_snapshot_xmax", "pg_snapshot_xmin",
	"pg_statistics_obj_is_visible", "pg_table_is_visible", "pg_table_size",
	"pg_tablespace_location", "pg_timezone_abbrevs", "pg_timezone_names",
	"pg_total_relation_size", "pg_trigger_depth", "pg_try_advisory_lock",
	"pg_try_advisory_lock_shared", "pg_try_advisory_xact_lock",
	"pg_try_advisory_xact_lock_shared", "pg_ts_config_is_visible", "pg_ts_dict_is_visible",
	"pg_ts_parser_is_visible", "pg_ts_template_is_visible", "pg_type_is_visible",
	"pg_typeof", "pg_visible_in_snapshot", "pg_wal_lsn_diff", "pg_walfile_name",
	"pg_walfile_name_offset", "pg_xact_status", "phraseto_tsquery", "pi", "plainto_tsquery",
	"point", "polygon", "popen", "position", "pow", "power", "precision", "primary",
	"querytree", "quote_ident", "quote_literal", "quote_nullable", "radians", "radius",
	"random", "random_normal", "range", "range_agg", "range_intersect_agg", "range_merge",
	"rank", "references", "regclass", "regexp_count", "regexp_instr", "regexp_like",
	"regexp_match", "regexp_matches", "regexp_replace", "regexp_split_to_array",
	"regexp_split_to_table", "regexp_substr", "regr_avgx", "regr_avgy", "regr_count",
	"regr_intercept", "regr_r2", "regr_slope", "regr_sxx", "regr_sxy", "regr_syy", "repeat",
	"replace", "returning", "reverse", "right", "rollup", "round", "row", "row_number",
	"row_security_active", "row_to_json", "rpad", "rtrim", "scale", "select", "session_user",
	"set", "set_bit", "set_byte", "set_masklen", "sets", "setval", "setweight", "sha224",
	"sha256", "sha384", "sha512", "shobj_description", "sign", "similar", "similar_escape",
	"similar_to_escape", "sin", "sind", "sinh", "slope", "some", "spgist", "split_part",
	"sqrt", "statement_timestamp", "stddev", "stddev_pop", "stddev_samp", "string_agg",
	"string_to_array", "string_to_table", "strip", "strpos", "substr", "substring", "sum",
	"system_user", "table", "tan", "tand", "tanh", "text", "then", "time", "timeofday",
	"timestamp", "timestamptz", "timetz", "timezone", "to", "to_ascii", "to_bin", "to_char",
	"to_date", "to_hex", "to_json", "to_jsonb", "to_number", "to_oct", "to_regclass",
	"to_regcollation", "to_regnamespace", "to_regoper", "to_regoperator", "to_regproc",
	"to_regprocedure", "to_regrole", "to_regtype", "to_timestamp", "to_tsquery",
	"to_tsvector", "transaction_timestamp", "translate", "treat", "trim", "trim_array",
	"trim_scale", "trunc", "ts_debug", "ts_delete", "ts_filter", "ts_headline", "ts_lexize",
	"ts_parse", "ts_rank", "ts_rank_cd", "ts_token_type", "tsmultirange", "tsrange",
	"tstzmultirange", "tstzrange", "tsvector_to_array", "txid_current",
	"txid_current_if_assigned", "txid_current_snapshot", "txid_snapshot_xip",
	"txid_snapshot_xmax", "txid_snapshot_xmin", "txid_status", "txid_visible_in_snapshot",
	"union", "unique", "unistr", "unnest", "update", "upper", "upper_inc", "upper_inf",
	"using", "uuid_extract_timestamp", "uuid_extract_version", "uuidv4", "uuidv7", "values",
	"var_pop", "var_samp", "varbit", "varchar", "variance", "varying", "version",
	"websearch_to_tsquery", "when", "where", "width", "width_bucket", "window", "with",
	"within", "xid", "xml", "xml_is_well_formed", "xml_is_well_formed_content",
	"xml_is_well_formed_document", "xmlagg", "xmlattributes", "xmlcomment", "xmlconcat",
	"xmlelement", "xmlexists", "xmlforest", "xmlparse", "xmlpi", "xmlroot", "xmlserialize",
	"xmlvalidate", "xpath", "xpath_exists", "zone",
};
/* clang-format on */

static const char *const types[] = {"bpchar", "time", "timestamp", "timestamptz", "timetz"};
static const char *const sequence_takers[] = {"currval", "nextval", "setval"};
static const char *const from_takers[] = {"extract", "overlay", "substring", "trim"};

const struct sql_index pgsql_words = {
	.list = words,
	.at = {0,   8,	 10,  25,  35,	40,  45,  48,  49,
	       59,  60,	 60,  68,  71,	75,  86,  89,  89,
	       104, 115, 124, 131, 135, 138, 138, 138, SQL_LIST_LENGTH(words)},
};

const struct sql_index pgsql_callables = {
	.list = callables,
	.at = {0,   43,	 60,  105, 123, 137, 152, 166, 184,
	       215, 276, 277, 299, 318, 336, 349, 477, 481,
	       523, 563, 626, 639, 647, 655, 674, 674, SQL_LIST_LENGTH(callables)},
};

enum pgsql_word pgsql_word_find(struct bytes text)
{
	const size_t at = sql_index_find(text, &pgsql_words);
	return at == SIZE_MAX ? PGSQL_W_NONE : (enum pgsql_word)(at + 1);
}

const char *pgsql_word_text(enum pgsql_word word)
{
	return word == PGSQL_W_NONE ? "" : words[word - 1];
}

bool pgsql_word_is_reserved(struct bytes text)
{
	return text.n >= SQL_INDEXED_MIN && SQL_LIST_HAS(reserved, text);
}

bool pgsql_word_is_callable(struct bytes text)
{
	return sql_index_find(text, &pgsql_callables) != SIZE_MAX;
}

bool pgsql_word_is_type(struct bytes text)
{
	return SQL_LIST_HAS(types, text);
}

bool pgsql_word_takes_from(struct bytes text)
{
	return SQL_LIST_HAS(from_takers, text);
}

bool pgsql_word_takes_sequence(struct bytes text)
{
	return SQL_LIST_HAS(sequence_takers, text);
}

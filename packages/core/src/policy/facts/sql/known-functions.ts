/**
 * Functions that change nothing, reach nothing outside and end soon, by dialect. A function that is not here counts as one that writes: a
 * statement is free of writes only if each of its functions is known to be. Names from the reference manuals of PostgreSQL 18, chapter 9,
 * and MySQL 8.4, chapter 14.
 */
const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

const COMMON = `
  abs ceil ceiling floor round sign sqrt exp ln log log10 log2 power pow mod pi sin cos tan cot asin acos atan atan2 radians degrees greatest least
  lower upper length char_length character_length octet_length bit_length substring substr left right trim ltrim rtrim btrim lpad rpad repeat replace
  reverse concat concat_ws ascii position strpos md5 coalesce nullif ifnull if
  now current_timestamp current_date current_time localtime localtimestamp extract date_part
  count sum avg min max stddev stddev_pop stddev_samp variance var_pop var_samp bit_and bit_or bit_xor
  row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value
  current_user user session_user version
`;

export const HARMLESS: Readonly<Record<'postgresql' | 'mysql', ReadonlySet<string>>> = {
  postgresql: words(`${COMMON}
    initcap split_part translate format quote_ident quote_literal quote_nullable starts_with string_to_array to_hex chr overlay unistr normalize
    regexp_count regexp_instr regexp_like regexp_match regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table regexp_substr
    encode decode sha224 sha256 sha384 sha512 get_byte get_bit set_byte set_bit
    trunc div cbrt factorial gcd lcm width_bucket scale min_scale trim_scale random gen_random_uuid uuidv4 uuidv7
    age date_trunc date_bin date_add date_subtract clock_timestamp statement_timestamp transaction_timestamp timeofday isfinite justify_days justify_hours
    justify_interval make_date make_interval make_time make_timestamp make_timestamptz timezone to_timestamp to_date to_char to_number
    array_agg array_append array_cat array_dims array_fill array_length array_lower array_ndims array_position array_positions array_prepend array_remove
    array_replace array_to_string array_upper cardinality unnest trim_array
    json_agg jsonb_agg json_object_agg jsonb_object_agg json_build_object jsonb_build_object json_build_array jsonb_build_array to_json to_jsonb row_to_json
    array_to_json json_array_elements jsonb_array_elements json_array_elements_text jsonb_array_elements_text json_array_length jsonb_array_length json_each
    jsonb_each json_each_text jsonb_each_text json_extract_path jsonb_extract_path json_extract_path_text jsonb_extract_path_text json_object_keys
    jsonb_object_keys json_typeof jsonb_typeof jsonb_set jsonb_insert jsonb_pretty jsonb_strip_nulls json_strip_nulls jsonb_path_exists jsonb_path_query
    jsonb_path_query_array jsonb_path_query_first jsonb_path_match json_to_record jsonb_to_record json_to_recordset jsonb_to_recordset
    bool_and bool_or every string_agg mode percentile_cont percentile_disc corr covar_pop covar_samp regr_slope regr_intercept regr_r2 grouping any_value
    generate_subscripts lower_inc upper_inc isempty range_merge int4range int8range numrange tsrange tstzrange daterange
    to_tsvector to_tsquery plainto_tsquery phraseto_tsquery websearch_to_tsquery ts_rank ts_rank_cd ts_headline setweight strip numnode
    host hostmask masklen netmask network broadcast inet_merge text abbrev family
    current_database current_schema current_schemas current_setting current_role pg_typeof obj_description col_description format_type
    pg_get_viewdef pg_get_indexdef pg_get_constraintdef pg_get_expr has_table_privilege has_schema_privilege has_column_privilege
    pg_table_size pg_relation_size pg_total_relation_size pg_indexes_size pg_database_size pg_size_pretty pg_size_bytes pg_column_size
    like_escape similar_escape similar_to_escape overlaps is_normalized xmlexists collation_for
    int4 int8 float8 bool varchar
  `),
  mysql: words(`${COMMON}
    lcase ucase mid instr locate insert field find_in_set elt space strcmp soundex hex unhex bin oct conv format quote substring_index to_base64 from_base64
    char ord regexp_instr regexp_like regexp_replace regexp_substr truncate rand crc32 sha sha1 sha2
    curdate curtime sysdate utc_date utc_time utc_timestamp date time year month day dayname dayofmonth dayofweek dayofyear hour minute second microsecond
    quarter week weekday weekofyear yearweek monthname last_day makedate maketime period_add period_diff date_add date_sub adddate subdate addtime subtime
    datediff timediff timestampdiff timestampadd timestamp date_format time_format str_to_date get_format from_days to_days to_seconds from_unixtime
    unix_timestamp sec_to_time time_to_sec convert_tz
    cast convert binary isnull interval any_value group_concat std json_array json_object json_extract json_unquote json_quote json_contains
    json_contains_path json_keys json_length json_depth json_type json_valid json_value json_search json_set json_insert json_replace json_remove
    json_merge_patch json_merge_preserve json_arrayagg json_objectagg json_pretty json_overlaps json_table
    inet_aton inet_ntoa inet6_aton inet6_ntoa is_ipv4 is_ipv6 uuid uuid_short uuid_to_bin bin_to_uuid is_uuid
    database schema connection_id last_insert_id found_rows row_count charset collation coercibility bit_count compress uncompress
  `),
};

/** Functions that read or write files, run programs, or speak to other servers. */
export const OUTSIDE: ReadonlySet<string> = words(`
  pg_read_file pg_read_binary_file pg_ls_dir pg_ls_logdir pg_ls_waldir pg_ls_tmpdir pg_ls_archive_statusdir pg_stat_file pg_file_write pg_file_read
  pg_file_rename pg_file_unlink pg_logdir_ls pg_current_logfile lo_import lo_export pg_execute_server_program
  dblink dblink_connect dblink_connect_u dblink_exec dblink_open dblink_fetch dblink_send_query dblink_get_result postgres_fdw_get_connections
  http http_get http_post http_put http_delete http_patch http_head load_file sys_exec sys_eval lib_mysqludf_sys_info
`);

#include "hash.h"

static const cf_field_t hash[] = {CF_F_TEXT(cf_hash_t, password, 0, CF_LOGIN_TEXT_MAX)};
const cf_shape_t cf_shape_hash = CF_SHAPE(cf_hash_t, hash);

static const cf_field_t hashed[] = {CF_F_TEXT(cf_hashed_t, password_hash, 1, CF_PASSWORD_HASH_MAX)};
const cf_shape_t cf_shape_hashed = CF_SHAPE(cf_hashed_t, hashed);

static const cf_field_t verify[] = {
    CF_F_TEXT(cf_verify_t, password, 0, CF_LOGIN_TEXT_MAX),
    CF_F_TEXT(cf_verify_t, password_hash, 0, CF_PASSWORD_HASH_MAX),
};
const cf_shape_t cf_shape_verify = CF_SHAPE(cf_verify_t, verify);

static const cf_field_t verified[] = {
    CF_F_BOOL(cf_verified_t, ok),
    CF_F_TEXT(cf_verified_t, new_hash, 0, CF_PASSWORD_HASH_MAX),
};
const cf_shape_t cf_shape_verified = CF_SHAPE(cf_verified_t, verified);

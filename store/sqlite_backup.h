/* store/sqlite_backup.h: a copy of a SQLite store while a server writes to it.
 *
 * The copy is of one moment: everything committed before the call, nothing half, in one file that is a store itself.
 * Writers are not held up; what they write meanwhile stays in the WAL until the copy is done. */
#ifndef CF_SQLITE_BACKUP_H
#define CF_SQLITE_BACKUP_H

/* Copies the database at `from` to the new file `to`, mode 0600. Until the copy is whole, checked and synced it has
 * another name beside it (`to`.partial-XXXXXX), so `to` is whole whenever it is there. Returns 0; CF_ENOENT: there is no
 * database at `from`; CF_EEXIST: there is something at `to`, which stays as it is; CF_ERANGE: the name is too long; CF_EIO:
 * nothing is left behind. Errors are logged. */
int cf_sqlite_backup(const char *from, const char *to);

#endif

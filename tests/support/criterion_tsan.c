/* Criterion's isolation (BoxFort) maps an arena at a random address, most of which ThreadSanitizer
 * keeps for its shadow: no test would start. The address is base + rand_r() * 16 MiB, so under
 * ThreadSanitizer this rand_r() stands before libc's and only answers what lands in
 * 0x5500_0000_0000..0x5550_0000_0000, which both allow and where no executable lies. Nothing else in
 * the process calls rand_r(). */
#ifdef __SANITIZE_THREAD__
int rand_r(unsigned *seed);

int rand_r(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return (int)(0x350000u + (*seed >> 8) % 0x5000u);
}
#else
typedef int cf_no_empty_file_t; /* ISO C wants a declaration in every file */
#endif

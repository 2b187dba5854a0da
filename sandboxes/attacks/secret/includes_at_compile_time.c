/* The compiler reads files too, and quotes what it does not understand. */
#include "/etc/passwd"
#include "/etc/shadow"
#include "/proc/self/environ"
int main(void) { return 0; }

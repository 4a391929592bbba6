/* bcryptprimitives.dll for a wine that has none (before 9.0): the standard library of Rust asks it for
   random bytes. For tests only; Windows brings its own. */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID bytes, ULONG count);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T count)
{
    return SystemFunction036(bytes, (ULONG)count);
}

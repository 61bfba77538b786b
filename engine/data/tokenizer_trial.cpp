// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/error.h"
#include "engine/data/piece_library.h"
#include "engine/data/tokenizer_model.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace pha {

namespace {

constexpr auto patience = std::chrono::seconds(10);

/// Bytes of address space in use. LibTorch and CUDA reserve far more than they touch, so the child's limit counts from here.
rlim_t addressSpace()
{
    std::ifstream statistics("/proc/self/statm");
    rlim_t pages = 0;
    statistics >> pages;
    return pages * rlim_t(sysconf(_SC_PAGESIZE));
}

[[noreturn]] void tryModel(const std::string& model, rlim_t bytes)
{
    // The parent's handlers must not run here: they would report a crash of the program.
    for (const int number : { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGTERM, SIGINT }) signal(number, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const rlimit memory { bytes, bytes }, cpu { 10, 10 }, none { 0, 0 };
    setrlimit(RLIMIT_AS, &memory);
    setrlimit(RLIMIT_CPU, &cpu);
    setrlimit(RLIMIT_CORE, &none);
    if (const int null = open("/dev/null", O_WRONLY | O_CLOEXEC); null >= 0) dup2(null, 2);
    int result = 1;
    try {
        if (const auto processor = pieceLibrary().load(model)) {
            const std::string probe = "The quick brown fox, 1234!  \n\tGr\xC3\xBC\xC3\x9F" "e \xE6\x97\xA5\xE6\x9C\xAC \xF0\x9F\x98\x80"
                + std::string(2000, 'a') + " \xEF\xBD\xB1\xE2\x91\xA0";
            std::vector<int> ids;
            std::string text;
            if (processor->encode(probe, ids) && processor->decode(ids, text)) result = 0;
        }
    } catch (...) {
    }
    _exit(result);
}

} // namespace

void tryTokenizerInChild(const std::string& model, const std::string& where)
{
    pieceLibrary(); // opened here: a child should not have to
    const auto limit = addressSpace() + (rlim_t(1) << 30);
    const pid_t child = fork();
    if (child < 0) throw Error(where + ": no process could be started to try the tokenizer", "close other programs");
    // Between fork and _exit the child uses malloc, which glibc keeps usable after a fork, and no lock of ours.
    if (child == 0) tryModel(model, limit);
    const auto end = std::chrono::steady_clock::now() + patience;
    auto pause = std::chrono::milliseconds(1);
    int status = 0;
    for (;;) {
        const pid_t ended = waitpid(child, &status, WNOHANG);
        if (ended == child) break;
        if (ended < 0 && errno != EINTR) throw Error(where + ": the trial of the tokenizer was lost", "try again");
        if (std::chrono::steady_clock::now() > end) {
            kill(child, SIGKILL);
            while (waitpid(child, &status, 0) < 0 && errno == EINTR) { }
            throw DataError(where, "the tokenizer model takes too long to load", "choose another sentencepiece model");
        }
        std::this_thread::sleep_for(pause);
        pause = std::min(pause * 2, std::chrono::milliseconds(20));
    }
    if (!WIFEXITED(status)) throw DataError(where, "the tokenizer model crashes sentencepiece", "choose another model");
    if (WEXITSTATUS(status) != 0)
        throw DataError(where, "sentencepiece cannot read the tokenizer model", "choose another model");
}

} // namespace pha

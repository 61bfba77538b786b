// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <initializer_list>

namespace pha {

void occupyClosedStreams()
{
    // Opened the wrong way round, so that reading and writing fail as they do on a closed stream. The lowest free
    // number is taken, hence the order.
    static_assert(STDIN_FILENO < STDOUT_FILENO && STDOUT_FILENO < STDERR_FILENO);
    for (const int stream : { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO })
        if (fcntl(stream, F_GETFD) < 0) open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

} // namespace pha

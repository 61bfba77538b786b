// SPDX-License-Identifier: GPL-3.0-or-later
// A token drawn from one row of logits. A block reads a chunk of the row, and the one that is ready last draws from
// what all have found. Sums are formed in one order, or of integers: the same row and the same x draw the same token.
#include "engine/model/cuda/draw_block.cuh"

#include <climits>
#include <cmath>

namespace pha::kernels {

namespace {

static_assert(mostDrawn <= std::int64_t(threads) * threads, "a thread takes a chunk, and then a token of one");
constexpr int ahead = 8; // loads of a thread that are under way

/// What a block finds in `threads` tokens.
struct Chunk {
    float highest, lowest; ///< of the logits above -inf; infinities if there is none
    float sum; ///< of weights, the largest being 1
    int best; ///< the first of the largest
};

/// A row of logits: a token that lies x octaves below the largest weighs 2^-x.
struct Row {
    const float* z;
    int count;
    float perOctave; ///< octaves in 1
    Chunk found; ///< in all of it

    static constexpr float most = 125.5f; ///< octaves, as exp(-87): beyond there is no weight, nor has a NaN one
    static constexpr int fine = 24; ///< bits of an octave that tell tokens apart

    __device__ float below(float logit) const { return (found.highest - logit) * perOctave; }
    __device__ float octaves(int i) const { return i < count ? below(z[i]) : INFINITY; }
    __device__ int chunks() const { return (count + threads - 1) / threads; }
    __device__ static bool weighs(float octaves) { return octaves < most; }
    __device__ static float weight(float octaves) { return weighs(octaves) ? exp2f(-octaves) : 0; }
    /// The rank of a token as an integer below 2^31, 0 for the largest.
    __device__ static unsigned rank(float octaves) { return unsigned(octaves * float(1 << fine)); }
    /// The fewest octaves of a token of this rank: all below have a lower one.
    __device__ static float octavesOf(unsigned rank) { return __uint2float_ru(rank) / float(1 << fine); }
};

__device__ Chunk joined(const Chunk& c)
{
    const float highest = highestOfBlock(c.highest);
    return { highest, lowestOfBlock(c.lowest), 0, firstOfBlock(c.highest == highest ? c.best : INT_MAX) };
}

/// Of the block's own chunk, which is copied on the way.
__device__ Chunk readChunk(const Draw& p, float perOctave)
{
    const int i = int(blockIdx.x) * threads + int(threadIdx.x);
    float z = -INFINITY;
    if (i < p.vocabulary) {
        z = p.logits[i];
        p.copy[i] = z;
    }
    const bool counts = z > -INFINITY; // a NaN does not
    Chunk c = joined({ counts ? z : -INFINITY, counts ? z : INFINITY, 0, i });
    c.sum = sumOfBlock(counts ? Row::weight((c.highest - z) * perOctave) : 0);
    return c;
}

/// True for the last block, which then sees the chunks of all.
__device__ bool isLast(Chunk* chunks, unsigned* ready, const Chunk& own)
{
    __shared__ bool last;
    if (threadIdx.x == 0) {
        chunks[blockIdx.x] = own;
        __threadfence();
        last = atomicAdd(ready, 1u) + 1 == gridDim.x;
        if (last) *ready = 0; // for the next row
        __threadfence();
    }
    __syncthreads();
    return last;
}

/// The token at which the running sum passes `share` of the whole; `ofChunk`: what the thread's chunk has of it.
template <class Weigh>
__device__ int tokenThatPasses(const Row& row, double share, double ofChunk, double& whole, const Weigh& weigh)
{
    whole = sumOfBlock(ofChunk);
    double wanted = share * whole;
    const int first = threadThatPasses(ofChunk, wanted) * threads, i = first + int(threadIdx.x);
    return first + threadThatPasses(weigh(row.octaves(i), i), wanted);
}
/// What the thread's chunk has of the sum of weigh().
template <class Weigh> __device__ float sumOfChunk(const Row& row, const Weigh& weigh)
{
    __shared__ float sums[threads];
    for (int c = ownWarp(); c < row.chunks(); c += warps) {
        float sum = 0;
        for (int begin = c * threads; begin < (c + 1) * threads; begin += ahead * warp) {
            float octaves[ahead];
#pragma unroll
            for (int a = 0; a < ahead; ++a) octaves[a] = row.octaves(begin + a * warp + lane());
#pragma unroll
            for (int a = 0; a < ahead; ++a) sum += weigh(octaves[a], begin + a * warp + lane());
        }
        sum = sumLanes(sum);
        if (lane() == 0) sums[c] = sum;
    }
    __syncthreads();
    return int(threadIdx.x) < row.chunks() ? sums[threadIdx.x] : 0;
}

/// Which tokens may be drawn: those that lie less than `end` octaves below, and of those below `tied` the first.
struct Head {
    float end = INFINITY, tied = INFINITY;
    int lastTied = 0;
    __device__ bool holds(float octaves, int i) const { return octaves < end || (octaves < tied && i <= lastTied); }
};

/// Octaves from `low` to below `high`.
struct Span {
    float low, high;
    __device__ bool holds(float octaves) const { return octaves >= low && octaves < high; }
};

/// Ranks sorted into bins: how many tokens each one has and what they weigh, in units of 2^-42. Integers, so that it
/// does not matter who adds first; words of 32 bits, which shared memory adds by itself.
struct Bins {
    static constexpr int bits = 11, count = 1 << bits, each = count / threads, unit = 42;
    unsigned tokens[count], low[count], high[count];

    __device__ void clear()
    {
        for (int b = threadIdx.x; b < count; b += threads) tokens[b] = low[b] = high[b] = 0;
    }
    __device__ unsigned long long mass(int bin) const
    {
        return (static_cast<unsigned long long>(high[bin]) << 32) | low[bin];
    }
    __device__ void add(unsigned bin, unsigned n, unsigned long long mass)
    {
        atomicAdd(tokens + bin, n);
        if (mass == 0) return;
        const auto less = unsigned(mass);
        const unsigned carry = atomicAdd(low + bin, less) > ~less, more = unsigned(mass >> 32) + carry;
        if (more) atomicAdd(high + bin, more);
    }
    /// One token of each lane.
    __device__ void sort(float octaves, const Span& span, unsigned from, int shift, bool weighed)
    {
        const bool counts = span.holds(octaves);
        if (!__any_sync(all, counts)) return;
        const unsigned bin = counts ? (Row::rank(octaves) - from) >> shift : count;
        const unsigned long long mass = counts && weighed ? exp2f(-octaves) * float(1ull << unit) : 0;
        if (!__all_sync(all, bin == __shfl_sync(all, bin, 0))) {
            if (counts) add(bin, 1, mass);
            return;
        }
        auto sum = mass; // 32 tokens would wait for each other
        for (int d = warp / 2; d > 0; d /= 2) sum += __shfl_xor_sync(all, sum, d);
        if (lane() == 0) add(bin, warp, sum);
    }
    /// The tokens in `span`, which begins at the rank `from`, 2^shift ranks a bin; their weights too if `weighed`.
    __device__ void fill(const Row& row, const Span& span, unsigned from, int shift, bool weighed)
    {
        for (int begin = 0; begin < row.count; begin += ahead * threads) {
            float octaves[ahead];
#pragma unroll
            for (int a = 0; a < ahead; ++a) octaves[a] = row.octaves(begin + a * threads + int(threadIdx.x));
#pragma unroll
            for (int a = 0; a < ahead; ++a) sort(octaves[a], span, from, shift, weighed);
        }
    }
};

/// How much may still be kept.
struct Rest {
    unsigned long long tokens, mass;
    __device__ bool reaches(const Rest& limit) const { return tokens >= limit.tokens || mass >= limit.mass; }
    __device__ Rest plus(const Rest& b) const { return { tokens + b.tokens, mass + b.mass }; }
    __device__ Rest less(const Rest& b) const { return { tokens - b.tokens, mass - b.mass }; }
};

/// The sum of all threads up to this one.
__device__ Rest upToThread(Rest x)
{
    __shared__ Rest shared[warps];
    x = { upToLane(x.tokens), upToLane(x.mass) };
    if (lane() == warp - 1) shared[ownWarp()] = x;
    __syncthreads();
    const Rest own = shared[lane()], through { upToLane(own.tokens), upToLane(own.mass) };
    const int before = max(0, ownWarp() - 1);
    const Rest others { __shfl_sync(all, through.tokens, before), __shfl_sync(all, through.mass, before) };
    __syncthreads(); // all have read it
    return ownWarp() > 0 ? x.plus(others) : x;
}

/// The bin in which `left` is reached; what the bins before it have is taken from `left`. -1: they never reach it.
/// `left.mass` of a `share` below 1 is not known before.
__device__ int binThatReaches(const Bins& bins, Rest& left, double share)
{
    __shared__ int found;
    __shared__ Rest rest;
    const int first = int(threadIdx.x) * Bins::each;
    Rest own { 0, 0 };
    for (int b = first; b < first + Bins::each; ++b) own = own.plus({ bins.tokens[b], bins.mass(b) });
    const Rest through = upToThread(own);
    if (threadIdx.x == threads - 1) {
        found = -1;
        rest = left;
        if (share < 1) rest.mass = (unsigned long long)(ceil(share * double(through.mass)));
    }
    __syncthreads();
    const Rest limit = rest;
    __syncthreads(); // all have read it
    Rest before = through.less(own);
    if (!before.reaches(limit) && through.reaches(limit)) {
        int b = first;
        for (;; ++b) {
            const Rest next = before.plus({ bins.tokens[b], bins.mass(b) });
            if (next.reaches(limit)) break;
            before = next;
        }
        found = b;
        rest = limit.less(before);
    }
    __syncthreads();
    left = rest;
    return found;
}

/// The fewest of the largest tokens that have a share of all, at most so many: the bin in which they end is sorted into
/// finer ones until all in it are equal.
__device__ Head headOf(const Row& row, std::int64_t most, double share)
{
    __shared__ Bins bins;
    Span span { 0, Row::most };
    const unsigned widest = Row::rank(fminf(row.below(row.found.lowest), Row::most));
    int shift = max(0, 32 - __clz(int(widest)) - Bins::bits), end = 0;
    unsigned from = 0;
    Rest left { most > 0 ? (unsigned long long)(most) : ULLONG_MAX, ULLONG_MAX };
    for (bool begins = true;; begins = false) {
        bins.clear();
        __syncthreads();
        bins.fill(row, span, from, shift, share < 1);
        __syncthreads();
        end = binThatReaches(bins, left, begins ? share : 1);
        if (end < 0) return {};
        from += unsigned(end) << shift;
        span = { Row::octavesOf(from), fminf(Row::octavesOf(from + (1u << shift)), Row::most) };
        if (bins.tokens[end] == 1) return { span.high, 0, 0 };
        if (shift == 0) break;
        shift = max(0, shift - Bins::bits);
        __syncthreads(); // all have read the bin
    }
    const double equal = bins.tokens[end], mass = double(bins.mass(end));
    const double kept = fmin(double(left.tokens), mass > 0 ? ceil(double(left.mass) / mass * equal) : equal);
    if (kept >= equal) return { span.high, 0, 0 };
    const auto tied = [&](float octaves, int) { return span.holds(octaves) ? 1.0f : 0.0f; };
    double whole = 0;
    return { span.low, span.high, tokenThatPasses(row, (kept - 0.5) / equal, sumOfChunk(row, tied), whole, tied) };
}

/// By all threads of the last block.
__device__ DrawnToken drawn(const Draw& p, const Row& row, const Chunk& own)
{
    if (!isfinite(row.found.highest)) return {};
    if (p.scale == 0) return { row.found.best, 1 };
    double whole = 0;
    int id = 0;
    if (p.most > 0 || p.share < 1) {
        const Head head = headOf(row, p.most, p.share);
        const auto weigh = [&](float octaves, int i) { return head.holds(octaves, i) ? Row::weight(octaves) : 0; };
        id = tokenThatPasses(row, p.x, sumOfChunk(row, weigh), whole, weigh);
    } else {
        const auto weigh = [](float octaves, int) { return Row::weight(octaves); };
        id = tokenThatPasses(row, p.x, own.sum * Row::weight(row.below(own.highest)), whole, weigh);
    }
    return { id, double(Row::weight(row.octaves(id))) / whole };
}

__global__ void __launch_bounds__(threads) drawToken(Draw p)
{
    auto* chunks = static_cast<Chunk*>(p.room);
    auto* ready = reinterpret_cast<unsigned*>(chunks + threads);
    const float perOctave = p.scale * 1.44269504f;
    const Chunk read = readChunk(p, perOctave);
    if (!isLast(chunks, ready, read)) return;
    Row row { p.logits, p.vocabulary, perOctave, {} };
    Chunk own { -INFINITY, INFINITY, 0, INT_MAX };
    if (int(threadIdx.x) < row.chunks()) own = chunks[threadIdx.x];
    row.found = joined(own);
    const DrawnToken token = drawn(p, row, own);
    if (threadIdx.x > 0) return;
    *p.id = token.id < 0 ? 0 : token.id;
    *p.drawn = token;
}

} // namespace

bool drawFits(std::int64_t vocabulary)
{
    static const bool there = [] {
        cudaFuncAttributes attributes;
        const bool found = cudaFuncGetAttributes(&attributes, drawToken) == cudaSuccess;
        (void)cudaGetLastError(); // it is not a failure
        return found;
    }();
    return there && vocabulary <= mostDrawn;
}

void draw(const Draw& p, Stream stream)
{
    static_assert(drawRoom == threads * sizeof(Chunk) + sizeof(Chunk), "a chunk a thread, and a counter");
    drawToken<<<blocksFor(p.vocabulary, threads), threads, 0, on(stream)>>>(p);
    checkLaunch("draw");
}

} // namespace pha::kernels

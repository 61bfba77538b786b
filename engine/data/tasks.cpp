// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/tasks.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/data/random.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace pha {

namespace {

constexpr std::int32_t unscored = -100;
constexpr std::int32_t arrow = 1; ///< induction's "=>"
constexpr int mostTries = 10'000;

struct Defaults {
    Task::Kind kind;
    const char* name;
    std::int64_t length, pairs, symbols;
    std::int64_t steps; ///< until those that can have learned it
    double highestRate; ///< induction trains every position, one in thirty of which can be known: higher rates miss it
};
constexpr Defaults tasks[] = { { Task::Kind::Mqar, "mqar", 64, 4, 512, 2000, 1 },
    { Task::Kind::Induction, "induction", 30, 1, 20, 1000, 0.002 },
    { Task::Kind::Copying, "copying", 256, 8, 16, 1000, 1 } };

void require(bool holds, const char* field, std::int64_t value, const std::string& expectation)
{
    if (!holds) throw ConfigError(field, std::to_string(value), expectation);
}

void check(const Task& t)
{
    const auto most = [](const char* what, std::int64_t n) { return "at most " + std::to_string(n) + what; };
    switch (t.kind) {
    case Task::Kind::Mqar:
        require(t.length % 2 == 0, "task_length", t.length, "an even number for mqar");
        require(4 * t.pairs <= t.length, "task_pairs", t.pairs, most(", a quarter of task_length", t.length / 4));
        require(t.symbols > t.length, "task_symbols", t.symbols, "more than task_length for mqar");
        return;
    case Task::Kind::Induction:
        require(t.length >= 2, "task_length", t.length, "at least 2 for induction");
        require(t.pairs == 1, "task_pairs", t.pairs, "1 or 0 for induction, which asks once");
        require(t.symbols >= 4, "task_symbols", t.symbols, "at least 4: two of them are marks");
        return;
    case Task::Kind::Copying:
        require(t.pairs <= t.length, "task_pairs", t.pairs, most(", the task_length", t.length));
        require(t.symbols >= 4, "task_symbols", t.symbols, "at least 4: two of them are the blank and the mark");
        return;
    }
}

double uniform(Random& random) { return (double(random.next() >> 11) + 0.5) * 0x1p-53; } // inside (0,1)

/// `count` different numbers of [from, from + size), in random order.
std::vector<std::int32_t> drawDistinct(Random& random, std::int64_t from, std::int64_t size, std::int64_t count)
{
    std::vector<std::int32_t> all(std::size_t(size), 0);
    std::iota(all.begin(), all.end(), std::int32_t(from));
    for (std::size_t i = 0; i < std::size_t(count); ++i)
        std::swap(all[i], all[i + std::size_t(random.below(std::uint64_t(size) - i))]);
    all.resize(std::size_t(count));
    return all;
}

/// `count` different slots of `slots`, drawn one after the other with p(s) ~ (s+1)^(power-1) among those that are left:
/// the order in which exponential clocks of these rates ring.
std::vector<std::size_t> drawSlots(Random& random, std::size_t slots, std::size_t count, double power)
{
    std::vector<std::pair<double, std::size_t>> rings(slots);
    for (std::size_t s = 0; s < slots; ++s)
        rings[s] = { -std::log(uniform(random)) * std::pow(double(s + 1), 1 - power), s };
    std::partial_sort(rings.begin(), rings.begin() + std::ptrdiff_t(count), rings.end());
    std::vector<std::size_t> drawn(count);
    for (std::size_t i = 0; i < count; ++i) drawn[i] = rings[i].second;
    return drawn;
}

TaskExample blank(const Task& task)
{
    const auto length = std::size_t(task.exampleLength());
    return { std::vector<std::int32_t>(length, 0), std::vector<std::int32_t>(length, unscored), {}, {} };
}

void ask(TaskExample& example, std::size_t index, std::int32_t answer, std::size_t shownAt)
{
    example.targets[index] = answer;
    example.answers.push_back({ std::int64_t(index), std::int64_t(index - shownAt) });
}

/// models.md 13.1.
TaskExample drawMqar(const Task& task, Random& random)
{
    auto example = blank(task);
    const auto pairs = std::size_t(task.pairs), slots = std::size_t(task.length) / 2 - pairs;
    const auto half = task.symbols / 2;
    const auto keys = drawDistinct(random, 1, half - 1, task.pairs);
    const auto values = drawDistinct(random, half, task.symbols - half, task.pairs);
    const auto places = drawSlots(random, slots, pairs, task.power);
    if (task.noise)
        for (auto& id : example.ids) id = std::int32_t(random.below(std::uint64_t(task.symbols)));
    for (std::size_t i = 0; i < pairs; ++i) {
        example.ids[2 * i] = keys[i];
        example.ids[2 * i + 1] = values[i];
        const auto query = 2 * pairs + 2 * places[i];
        example.ids[query] = keys[i];
        ask(example, query, values[i], 2 * i + 1);
    }
    return example;
}

/// models.md 13.2: "=>" stands once before some symbol and at the end, where that symbol is the answer. Every next
/// symbol is trained, though the others come by chance.
TaskExample drawInduction(const Task& task, Random& random)
{
    auto example = blank(task);
    const auto last = std::size_t(task.length);
    for (auto& id : example.ids) id = std::int32_t(2 + random.below(std::uint64_t(task.symbols) - 2));
    const auto place = std::size_t(random.below(last - 1));
    example.ids[place] = example.ids[last] = arrow;
    ask(example, last, example.ids[place + 1], place + 1);
    example.lessons.assign(example.ids.begin() + 1, example.ids.end());
    example.lessons.push_back(example.targets[last]);
    return example;
}

/// models.md 13.3: symbols among blanks, then as many marks, at which they are asked for in order.
TaskExample drawCopying(const Task& task, Random& random)
{
    auto example = blank(task);
    auto places = drawDistinct(random, 0, task.length, task.pairs);
    std::sort(places.begin(), places.end());
    for (std::size_t i = 0; i < places.size(); ++i) {
        const auto symbol = std::int32_t(1 + random.below(std::uint64_t(task.symbols) - 2));
        const auto place = std::size_t(places[i]), mark = std::size_t(task.length) + i;
        example.ids[place] = symbol;
        example.ids[mark] = std::int32_t(task.symbols - 1);
        ask(example, mark, symbol, place);
    }
    return example;
}

TaskExample draw(const Task& task, Random& random)
{
    auto example = task.kind == Task::Kind::Mqar ? drawMqar(task, random)
        : task.kind == Task::Kind::Induction     ? drawInduction(task, random)
                                                 : drawCopying(task, random);
    if (example.lessons.empty()) example.lessons = example.targets;
    std::sort(
        example.answers.begin(), example.answers.end(), [](const auto& a, const auto& b) { return a.index < b.index; });
    return example;
}

/// One example in sixteen is for validation, one for the test, whatever drew it.
const char* splitOf(const TaskExample& example)
{
    const auto bytes =
        std::string_view(reinterpret_cast<const char*>(example.ids.data()), example.ids.size() * sizeof example.ids[0]);
    const auto part = hashText(bytes) % 16;
    return part == 0 ? "valid" : part == 1 ? "test" : "train";
}

} // namespace

std::int64_t Task::exampleLength() const
{
    return kind == Kind::Mqar ? length : length + pairs; // induction asks once
}

std::int64_t Task::answers() const { return kind == Kind::Mqar ? symbols - symbols / 2 : symbols - 2; }

std::int64_t Task::candidates() const { return kind == Kind::Mqar ? pairs : answers(); }

std::vector<std::string> Task::symbolNames() const
{
    std::vector<std::string> names { "\xC2\xB7" };
    for (std::int64_t id = 1; id < symbols; ++id) {
        const char* letter = kind != Kind::Mqar ? "s" : id < symbols / 2 ? "k" : "v";
        names.push_back(letter + std::to_string(id));
    }
    if (kind == Kind::Induction) names[std::size_t(arrow)] = "=>";
    if (kind == Kind::Copying) names.back() = "?";
    return names;
}

std::string Task::description() const
{
    auto text = name + (kind == Kind::Induction ? " 2" : " 1") + ", V " + std::to_string(symbols) + ", T "
        + std::to_string(length);
    if (kind != Kind::Induction) text += ", K " + std::to_string(pairs);
    if (kind == Kind::Mqar && power != 0.01) text += ", power " + exactNumber(power);
    if (kind == Kind::Mqar && noise) text += ", noise";
    if (examples > 0) text += ", " + std::to_string(examples) + " examples";
    return text + ", seed " + std::to_string(seed);
}

std::optional<Task> findTask(const DataConfig& config)
{
    for (const auto& known : tasks) {
        if (config.data != known.name) continue;
        const auto settle = [](std::int64_t given, std::int64_t own) { return given > 0 ? given : own; };
        Task task { known.kind, known.name, settle(config.taskLength, known.length),
            settle(config.taskPairs, known.pairs), settle(config.taskSymbols, known.symbols), config.taskExamples,
            config.dataSeed, config.taskPower, config.taskNoise };
        check(task);
        return task;
    }
    return std::nullopt;
}

void settleTaskShape(RunConfig& config)
{
    const auto task = findTask(config.data);
    if (!task) return;
    config.model.vocabulary = task->symbols;
    config.training.context = task->exampleLength();
}

RunConfig startingPoint(const Preset& preset, const std::string& data)
{
    auto config = preset.config;
    config.preset = preset.name;
    const auto known = std::find_if(std::begin(tasks), std::end(tasks), [&](const auto& t) { return data == t.name; });
    if (known == std::end(tasks)) return config;
    auto& t = config.training;
    t.steps = known->steps;
    t.batchSize = std::clamp<std::int64_t>(4096 / known->length, 8, 64);
    t.accumulate = 1;
    t.learningRate = std::min(t.learningRate, known->highestRate);
    t.muonLearningRate = std::min(t.muonLearningRate, known->highestRate);
    t.evalEvery = t.sampleEvery = t.saveEvery = 250;
    return config;
}

TaskExample writeExample(const Task& task, const std::string& split, std::uint64_t index)
{
    Random random(hashText(task.name + '/' + split, std::uint64_t(task.seed)) ^ mixBits(index));
    for (int i = 0; i < mostTries; ++i) {
        auto example = draw(task, random);
        if (split == splitOf(example)) return example;
    }
    throw DataError(task.name, "has too few different examples of this size to keep some for validation",
        "raise task_length or task_symbols");
}

} // namespace pha

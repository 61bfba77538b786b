// SPDX-License-Identifier: GPL-3.0-or-later
// What heads do, on maps whose figures are known by hand and on networks; and how long states remember, by their
// kernels.
#include "engine/base/error.h"
#include "engine/eval/head_figures.h"
#include "engine/model/h3.h"
#include "engine/model/weights.h"
#include "engine/torch/cpu_allocator.h"
#include "tests/model/drawn_network.h"
#include "tests/suite.h"

#include <QtTest>

#include <complex>
#include <numbers>
#include <set>

using namespace pha;
using namespace pha::test;

namespace {

enum { Previous, Self, First, Same, Induction };

using Ids = std::vector<std::int64_t>;

/// Length twice, of tokens that are all different.
Ids twice(std::int64_t length)
{
    Ids ids;
    for (std::int64_t i = 0; i < 2 * length; ++i) ids.push_back(5 + i % length);
    return ids;
}

/// At each t all of what is read lies at place(t).
template <class Place> std::vector<float> reading(std::int64_t T, Place&& place)
{
    std::vector<float> weights(std::size_t(T * T));
    for (std::int64_t t = 0; t < T; ++t) weights[std::size_t(t * T + place(t))] = 1;
    return weights;
}

bool isNear(double a, double b, double tolerance = 1e-12) { return std::abs(a - b) < tolerance; }

bool sameShares(const HeadShares& a, const HeadShares& b)
{
    for (std::size_t kind = 0; kind < a.size(); ++kind)
        if (a[kind].queries != b[kind].queries || !isNear(a[kind].share, b[kind].share, 1e-6)
            || !isNear(a[kind].uniform, b[kind].uniform, 1e-9))
            return false;
    return true;
}

/// The same another way: by matrices of what belongs to each kind.
HeadShares byMasks(const Tensor& weights, const Ids& tokens, std::int64_t span)
{
    const auto T = std::int64_t(tokens.size());
    const auto t = torch::arange(T, torch::kLong).unsqueeze(1), s = torch::arange(T, torch::kLong).unsqueeze(0);
    const auto ids = torch::tensor(tokens, torch::kLong);
    const auto start = span > 0 ? torch::floor_divide(t, span) * span : torch::zeros_like(t);
    const auto seen = (s <= t).logical_and(s >= start);
    const auto same = (ids.unsqueeze(1) == ids.unsqueeze(0)).logical_and(s < t);
    auto after = torch::zeros_like(same); // [t][s]: the token at s - 1 is that at t
    after.narrow(1, 1, T - 1).copy_((ids.unsqueeze(1) == ids.unsqueeze(0)).narrow(1, 0, T - 1));
    const Tensor kinds[] { s == t - 1, s == t, s == start, same, after.logical_and(s < t) };
    HeadShares all;
    for (std::size_t kind = 0; kind < all.size(); ++kind) {
        const auto places = kinds[kind].logical_and(seen).to(torch::kDouble), count = seen.to(torch::kDouble).sum(1);
        const auto counted = (places.sum(1) > 0).logical_and(count > 1);
        all[kind].queries = counted.sum().item<std::int64_t>();
        if (all[kind].queries == 0) continue;
        const auto rows = torch::nonzero(counted).squeeze(1);
        const auto mean = [&](const Tensor& x) { return x.sum(1).index_select(0, rows).mean().item<double>(); };
        all[kind].share = mean(places * weights.to(torch::kDouble));
        all[kind].uniform = mean(places / count.unsqueeze(1));
    }
    return all;
}

Tensor mapOf(const ReadingMap& map, std::int64_t head)
{
    const auto size = map.tokens * map.tokens;
    return torch::tensor(std::vector<float>(map.weights.begin() + head * size, map.weights.begin() + (head + 1) * size))
        .view({ map.tokens, map.tokens });
}

double valueOf(const NamedTensors& weights, const std::string& name, std::int64_t i)
{
    for (const auto& [key, tensor] : weights)
        if (key == name) return tensor.flatten()[i].item<double>();
    throw std::runtime_error(name);
}

/// What is left of a state's kernel `lag` tokens later, wherever one looks.
void halvesAfter(const DiagonalSsm& ssm, std::int64_t lag)
{
    const auto kernel = ssmKernel(ssm, 60)[0];
    QCOMPARE(kernel.scalar_type(), torch::kDouble);
    QVERIFY(largest(kernel) > 0.01);
    QVERIFY(largest(kernel.narrow(0, lag, 60 - lag) - 0.5 * kernel.narrow(0, 0, 60 - lag)) < 1e-9);
    QVERIFY2(largest(halfLives(ssm) - double(lag)) < 1e-9, qPrintable(QString::number(largest(halfLives(ssm)))));
}

std::shared_ptr<Branch> oneState(const std::string& name, ModelConfig config, const std::map<std::string, double>& set)
{
    config.gssWidth = 1;
    config.gssState = config.h3State = 2;
    auto branch = makeBranch(name, config);
    branch->to(torch::kDouble);
    for (auto& p : branch->named_parameters()) p.value().fill_(set.contains(p.key()) ? set.at(p.key()) : 0.7);
    return branch;
}

} // namespace

class HeadsTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase()
    {
        installCpuAllocator();
        torch::manual_seed(5);
        at::set_num_threads(1);
    }

    /// Four tokens that come twice: seven queries, of which the last four have earlier ones of the same token.
    void builtHeadsHaveTheirFigures()
    {
        const auto ids = twice(4);
        const double over7 = (1. / 2 + 1. / 3 + 1. / 4 + 1. / 5 + 1. / 6 + 1. / 7 + 1. / 8) / 7,
                     over4 = (1. / 5 + 1. / 6 + 1. / 7 + 1. / 8) / 4;
        const auto check = [&](auto&& place, const std::array<double, 5>& expected) {
            const auto kinds = headShares(reading(8, place), ids);
            for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
                QVERIFY2(isNear(kinds[kind].share, expected[kind]), headKinds[kind]);
                QCOMPARE(kinds[kind].queries, kind < Same ? 7 : 4);
                QVERIFY2(isNear(kinds[kind].uniform, kind < Same ? over7 : over4), headKinds[kind]);
            }
        };
        const auto back = [](std::int64_t far) {
            return [far](std::int64_t t) { return std::max<std::int64_t>(0, t - far); };
        };
        check(back(1), { 1, 0, 1. / 7, 0, 0 });
        check(back(0), { 0, 1, 0, 0, 0 });
        check(back(100), { 1. / 7, 0, 1, 1. / 4, 0 }); // at 4 the first token is the same
        check(back(4), { 1. / 7, 0, 4. / 7, 1, 0 });
        check(back(3), { 1. / 7, 0, 3. / 7, 0, 1 });
    }

    /// "a a b a": of the same token there are none, one, none and two before.
    void placesAreShared()
    {
        const Ids ids { 0, 0, 1, 0 };
        const std::vector<float> weights { 1, 0, 0, 0, 0.25F, 0.75F, 0, 0, 0.5F, 0.25F, 0.25F, 0, 0.125F, 0.25F, 0.5F,
            0.125F };
        const auto kinds = headShares(weights, ids);
        QCOMPARE(kinds[Same].queries, 2);
        QVERIFY(isNear(kinds[Same].share, (0.25 + 0.375) / 2)); // the first one; the first two
        QVERIFY(isNear(kinds[Same].uniform, 0.5));
        QCOMPARE(kinds[Induction].queries, 1); // itself does not count at the second "a"
        QVERIFY(isNear(kinds[Induction].share, 0.75));
        QVERIFY(isNear(kinds[Induction].uniform, 0.5));
        QVERIFY(isNear(kinds[Self].share, (0.75 + 0.25 + 0.125) / 3));
        QCOMPARE(headShares({}, {})[Self].queries, 0);
        QCOMPARE(headShares(std::vector<float> { 1 }, { 3 })[Self].queries, 0);
    }

    /// Chunks of three: what lies before the chunk is not there, but what came before its first token is known.
    void chunksHideWhatIsBefore()
    {
        const Ids ids { 0, 1, 0, 0, 1, 0 };
        std::vector<float> weights(36);
        for (std::size_t t = 0; t < 6; ++t) weights[t * 6 + t / 3 * 3] = 1; // the first that is seen
        const auto kinds = headShares(weights, ids, 3);
        for (const int kind : { Previous, Self, First }) {
            QCOMPARE(kinds[std::size_t(kind)].queries, 4);
            QVERIFY(isNear(kinds[std::size_t(kind)].uniform, 5. / 12));
        }
        QVERIFY(isNear(kinds[First].share, 1));
        QVERIFY(isNear(kinds[Previous].share, 0.5));
        QCOMPARE(kinds[Same].queries, 2);
        QVERIFY(isNear(kinds[Same].uniform, 1. / 3));
        QVERIFY(isNear(kinds[Induction].uniform, (1. / 3 + 2. / 3) / 2));
        QVERIFY(isNear(kinds[Induction].share, 0.5));
    }

    void namesAreClear()
    {
        const auto ids = twice(16);
        const auto name = [&](std::int64_t far) {
            return headName(
                headShares(reading(32, [far](std::int64_t t) { return std::max<std::int64_t>(0, t - far); }), ids));
        };
        QCOMPARE(name(1), int(Previous));
        QCOMPARE(name(0), int(Self));
        QCOMPARE(name(31), int(First));
        QCOMPARE(name(16), int(Same));
        QCOMPARE(name(15), int(Induction));
        const auto of = [](double share, double uniform, std::int64_t queries) {
            HeadShares kinds;
            kinds[Induction] = { share, uniform, queries };
            return headName(kinds);
        };
        QCOMPARE(of(0.3, 0.0999, 8), int(Induction));
        QCOMPARE(of(0.29, 0.05, 8), -1);
        QCOMPARE(of(0.3, 0.11, 8), -1);
        QCOMPARE(of(0.9, 0.1, 7), -1);
        HeadShares two;
        two[Induction] = { 0.4, 0.01, 20 };
        two[First] = { 0.5, 0.03, 40 };
        QCOMPARE(headName(two), int(First));
        const auto both = merged(two, two);
        QCOMPARE(both[First].queries, 80);
        HeadShares more;
        more[First] = { 0.1, 0.06, 20 };
        const auto all = merged(two, more);
        QVERIFY(isNear(all[First].share, (0.5 * 40 + 0.1 * 20) / 60) && isNear(all[First].uniform, 0.04));
        QCOMPARE(all[Same].queries, 0);
    }

    void figuresAreThoseOfTheMaps_data() { addVariants(); }
    void figuresAreThoseOfTheMaps()
    {
        const auto config = chosen();
        auto model = network(drawn(config));
        Ids ids;
        for (std::int64_t i = 0; i < 29; ++i) ids.push_back(3 + i * i % 7);
        const auto view = model.lookInside({ textOf(torch::tensor(ids)), 256, {} }, {});
        std::size_t at = 0;
        for (const auto& map : view.maps) {
            const auto span = map.part == "attention" ? config.attentionSpan : 0;
            for (std::int64_t head = 0; head < map.heads; ++head) {
                const auto& figures = view.heads.at(at++);
                QCOMPARE(figures.layer, map.layer);
                QCOMPARE(figures.part, map.part);
                QCOMPARE(figures.head, head);
                QVERIFY(sameShares(figures.kinds, byMasks(mapOf(map, head), ids, span)));
                QCOMPARE(figures.name, headName(figures.kinds));
            }
        }
        QCOMPARE(at, view.heads.size());
    }

    void theTestIsOfRepeatedTokens_data() { addVariants(); }
    void theTestIsOfRepeatedTokens()
    {
        const auto config = chosen();
        auto model = network(drawn(config));
        const auto test = model.testHeads({});
        const auto L = config.attentionSpan > 0 ? config.attentionSpan / 2 : 12; // half of the context
        QCOMPARE(test.step, 12);
        QCOMPARE(test.length, L);
        QCOMPARE(test.context, 24);
        std::vector<HeadShares> all(test.heads.size());
        double first = 0, second = 0;
        const auto sequences = repeatedTokens(*words(), test.sequences, L);
        QCOMPARE(sequences.size(), std::size_t(8));
        for (const auto& ids : sequences) {
            const auto view = model.lookInside({ textOf(torch::tensor(ids)), 256, {} }, {});
            QCOMPARE(view.tokens.size(), std::size_t(2 * L));
            QCOMPARE(view.heads.size(), all.size());
            for (std::size_t i = 0; i < all.size(); ++i) all[i] = merged(all[i], view.heads[i].kinds);
            for (std::int64_t t = 1; t < L; ++t) {
                first -= std::log(view.tokens[std::size_t(t)].probability) / double(8 * (L - 1));
                second -= std::log(view.tokens[std::size_t(L + t)].probability) / double(8 * (L - 1));
            }
        }
        for (std::size_t i = 0; i < all.size(); ++i) {
            QVERIFY(sameShares(all[i], test.heads[i].kinds));
            QCOMPARE(test.heads[i].name, headName(all[i]));
            QCOMPARE(test.heads[i].kinds[Induction].queries, 8 * L);
        }
        QVERIFY2(isNear(test.firstNll, first, 1e-4) && isNear(test.secondNll, second, 1e-4),
            qPrintable(QString::number(test.firstNll)));
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_THROWS_EXCEPTION(Error, model.testHeads(stop.get_token()));
    }

    void theStrongestOfEachKindIsTold()
    {
        const auto head = [](std::int64_t layer, const std::string& part, std::int64_t place, double first,
                              double induction, int name) {
            HeadFigures figures { layer, part, place, {} };
            figures.kinds[First].share = first;
            figures.kinds[Induction].share = induction;
            figures.name = name;
            return figures;
        };
        HeadTest test;
        test.step = 9;
        test.firstNll = 3, test.secondNll = 2;
        test.heads = { head(0, "gss", 0, 0.99, 0.99, First), head(0, "attention", 0, 0.4, 0.1, First),
            head(0, "attention", 1, 0.6, 0.2, First), head(1, "hedgehog", 0, 0.1, 0.5, Induction) };
        const auto event = headsEvent(test);
        QCOMPARE(event.step, 9);
        QCOMPARE(event.gain(), 1.0);
        const auto is = [](const StrongestHead& a, const StrongestHead& b) {
            return a.share == b.share && a.layer == b.layer && a.part == b.part && a.head == b.head
                && a.named == b.named;
        };
        QVERIFY(is(event.strongest.at(First), { 0.6, 0, "attention", 1, 2 }));
        QVERIFY(is(event.strongest.at(Induction), { 0.5, 1, "hedgehog", 0, 1 }));
        test.heads.resize(1);
        QVERIFY(headsEvent(test).strongest.empty());
    }

    void sequencesAreRandomAndTheSame()
    {
        const auto tokens = repeatedTokens(*words(), 3, 30);
        QVERIFY(tokens == repeatedTokens(*words(), 3, 30));
        QVERIFY(tokens[0] != tokens[1] && tokens[1] != tokens[2]);
        for (const auto& ids : tokens) {
            QCOMPARE(ids.size(), std::size_t(60));
            QVERIFY(std::equal(ids.begin(), ids.begin() + 30, ids.begin() + 30));
            const std::set<std::int64_t> different(ids.begin(), ids.end());
            QCOMPARE(different.size(), std::size_t(30));
            QVERIFY(*different.begin() > 0); // the blank
        }
        // A vocabulary that is too small goes round.
        const auto few = repeatedTokens(*Tokenizer::symbols({ "_", "a", "b", "c" }), 1, 5)[0];
        QCOMPARE(few[0], few[3]);
        QCOMPARE(few[4], few[9]);
        QVERIFY(few[4] != few[5]);
    }

    /// Marks and single bytes are not read, since no text has them where there are pieces.
    void piecesAreOrdinary()
    {
        std::string text;
        for (int i = 0; i < 3000; ++i) text += "the mayor of Redcliff had a " + std::to_string(i % 97) + " key. ";
        SilentSink silent;
        const std::shared_ptr<const Tokenizer> tokenizer = Tokenizer::train(text, { 340, "bpe" }, silent, {});
        for (const auto& ids : repeatedTokens(*tokenizer, 4, 20))
            for (const auto id : ids) {
                const auto piece = tokenizer->piece(std::int32_t(id));
                QVERIFY2(piece.size() > 1 && piece != "\uFFFD" && validUtf8(piece), piece.c_str());
            }
    }

    /// A state whose kernel is half as large seven tokens later, by a decay of 2^(-1/7) and a turn of a seventh.
    void halfLivesAreThoseOfTheKernel()
    {
        const torch::NoGradGuard guard;
        const double decay = std::log(2.0) / 7, turn = 2 * std::numbers::pi / 7, dt = 0.05;
        const auto s4d = oneState("gss", small("gss"),
            { { "log_dt", std::log(dt) }, { "log_a_re", std::log(decay / dt) }, { "a_im", turn / dt } });
        halvesAfter(dynamic_cast<GssBranch&>(*s4d).ssm(), 7);
        auto shared = small("gss");
        shared.gssKernel = "dss";
        const auto dss = oneState("gss", shared, { { "a", std::log(decay) }, { "b", std::log(turn) } });
        halvesAfter(dynamic_cast<GssBranch&>(*dss).ssm(), 7);
        // The bilinear rule remembers for another time than the continuous system that it approximates.
        const auto lambda = std::polar(std::exp(-decay), turn);
        const auto a = 2.0 * (lambda - 1.0) / (lambda + 1.0) / dt;
        const auto h3 = oneState("h3", small("h3"),
            { { "log_dt", std::log(dt) }, { "log_a_re", std::log(-a.real()) }, { "a_im", a.imag() } });
        halvesAfter(dynamic_cast<H3Branch&>(*h3).ssm(), 7);
        QVERIFY(std::abs(std::log(2.0) / (-a.real() * dt) - 7) > 0.1);
    }

    /// Of every state by its parameters, in the order of their half-lives.
    void quantilesAreOverTheStates()
    {
        auto dss = small("gss");
        dss.gssKernel = "dss";
        for (const auto& config : { small("pha"), small("gss"), dss, small("h3") }) {
            const auto model = std::make_shared<LanguageModel>(config, 7);
            const auto weights = namedWeights(*model);
            const bool h3 = config.family == "h3", shared = config.gssKernel == "dss" && !h3;
            const auto part = std::string(h3 ? "h3" : "gss"), prefix = "layers.0." + part + ".";
            const auto channels = shared ? 1 : h3 ? config.width / config.h3HeadWidth : config.gssWidth;
            const auto states = h3 ? config.h3State / 2 : shared ? config.gssState : config.gssState / 2;
            std::vector<double> lives;
            for (std::int64_t i = 0; i < channels * states; ++i) {
                if (shared) {
                    lives.push_back(std::log(2.0) / std::exp(valueOf(weights, prefix + "a", i)));
                    continue;
                }
                const double dt = std::exp(valueOf(weights, prefix + "log_dt", i / states));
                const std::complex<double> z(-dt * std::exp(valueOf(weights, prefix + "log_a_re", i)),
                    dt * valueOf(weights, prefix + "a_im", i));
                lives.push_back(-std::log(2.0) / (h3 ? std::log(std::abs((2.0 + z) / (2.0 - z))) : z.real()));
            }
            std::sort(lives.begin(), lives.end());
            const auto context = std::max<std::int64_t>(2, std::int64_t(lives[lives.size() / 3]));
            const auto memory = network(model, context).lookInside({ "w1 w2 w3", 256, {} }, {}).memory;
            const auto found = std::find_if(
                memory.begin(), memory.end(), [&](const StateMemory& m) { return m.layer == 0 && m.part == part; });
            QVERIFY(found != memory.end());
            QCOMPARE(found->states, channels * states);
            const double levels[] { 0.05, 0.25, 0.5, 0.75, 0.95 };
            for (std::size_t i = 0; i < 5; ++i) {
                const double place = levels[i] * double(lives.size() - 1);
                const auto below = std::size_t(place);
                const double above = lives[std::min(below + 1, lives.size() - 1)];
                const double expected = lives[below] + (place - double(below)) * (above - lives[below]);
                QVERIFY2(isNear(found->quantiles[i] / expected, 1, 1e-5), qPrintable(QString::number(expected)));
            }
            QVERIFY(isNear(found->longest / lives.back(), 1, 1e-5));
            const auto longer =
                std::count_if(lives.begin(), lives.end(), [&](double life) { return life > double(context); });
            QVERIFY(longer > 0 && longer < std::ptrdiff_t(lives.size()));
            QCOMPARE(found->outlive, double(longer) / double(lives.size()));
        }
    }

    /// Two tokens that come twice are the shortest test; where they have no room nothing is tested, and a note says so.
    void fewLearnedPositionsAreNotTested()
    {
        auto config = small("transformer");
        config.positions = "learned";
        config.maxPositions = 4;
        const auto tested = network(drawn(config), 4).testHeads({});
        QCOMPARE(tested.length, 2);
        QVERIFY(tested.note.empty() && !tested.heads.empty());
        config.maxPositions = 3;
        const auto none = network(drawn(config), 3).testHeads({});
        QCOMPARE(none.step, 12);
        QVERIFY(none.length == 0 && none.heads.empty() && none.memory.empty());
        QVERIFY2(none.note.find("learned 3") != std::string::npos, none.note.c_str());
    }

    void whatHasNoStatesHasNoHalfLives()
    {
        auto recurrent = small("gss");
        recurrent.gssKind = "gated_rec";
        for (const auto& config : { small("transformer"), small("hedgehog"), recurrent }) {
            const auto test = network(drawn(config)).testHeads({});
            QVERIFY(test.memory.empty());
            QVERIFY(!test.heads.empty());
        }
    }
};

PHA_TEST(HeadsTest)
#include "heads_test.moc"

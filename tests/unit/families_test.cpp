// SPDX-License-Identifier: GPL-3.0-or-later
// What the layers of each family are made of: the network and the counts are both built from it.
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/config/config.h"
#include "engine/config/field_use.h"
#include "engine/config/parts.h"
#include "tests/suite.h"

#include <QTest>

using namespace pha;

namespace {

ModelConfig of(const char* family, std::int64_t layers = 4)
{
    ModelConfig m;
    m.family = family;
    m.layers = layers;
    return m;
}

QString layersWithAttention(const ModelConfig& m)
{
    QStringList all;
    for (std::int64_t layer = 0; layer < m.layers; ++layer)
        if (holdsAttention(m, layer)) all << QString::number(layer);
    return all.join(QLatin1Char(' '));
}

QString words(const ModelConfig& m, std::int64_t layer) { return QString::fromStdString(layerWords(m, layer)); }

} // namespace

class FamiliesTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void stages_data();
    void stages();
    void stagesFollowTheFields();
    void attentionLayers();
    void partsThatCanBeMuted();
    void prunedParts();
    void everyFamilyIsWhole();
    void unknownFamily();
    void fieldsThatMatter_data();
    void fieldsThatMatter();
};

void FamiliesTest::stages_data()
{
    QTest::addColumn<QString>("first");
    QTest::addColumn<QString>("second");
    QTest::newRow("pha") << "gss + attention + ffn, main"
                         << "gss + attention + ffn, main";
    QTest::newRow("pha-lean") << "gss + attention + ffn, main"
                              << "gss + attention + ffn, main";
    QTest::newRow("attention") << "attention, main"
                               << "attention, main";
    QTest::newRow("transformer") << "attention, main"
                                 << "attention, main";
    QTest::newRow("gss") << "gss"
                         << "gss";
    QTest::newRow("gss-hybrid") << "gss"
                                << "attention, main";
    QTest::newRow("h3") << "h3, main"
                        << "attention, main";
    QTest::newRow("hedgehog") << "hedgehog, main"
                              << "hedgehog, main";
    QTest::newRow("sequential") << "attention, gss, main"
                                << "attention, gss, main";
}

void FamiliesTest::stages()
{
    QFETCH(QString, first);
    QFETCH(QString, second);
    const auto m = of(QTest::currentDataTag());
    QCOMPARE(words(m, 0), first);
    QCOMPARE(words(m, 1), second);
}

void FamiliesTest::stagesFollowTheFields()
{
    auto m = of("pha");
    m.branches = "ffn,gss";
    m.mainWidth = 0;
    QCOMPARE(words(m, 0), QString("gss + ffn"));
    m.branches = "attention"; // one branch is still a mix: its norm and its weight stay (models.md 19.9)
    QVERIFY(layerStages(m, 0)[0].mixed);
    m.family = "attention";
    QVERIFY(!layerStages(m, 0)[0].mixed);
    QVERIFY(m.branchList().empty());
    m.family = "gss-hybrid";
    QCOMPARE(words(m, 1), QString("attention"));
}

void FamiliesTest::attentionLayers()
{
    auto m = of("gss-hybrid", 14); // models.md 19.19
    QCOMPARE(layersWithAttention(m), QString("1 8"));
    m.layers = 17;
    QCOMPARE(layersWithAttention(m), QString("1 9"));
    m.layers = 1;
    QCOMPARE(layersWithAttention(m), QString());
    m.layers = 14;
    m.attentionLayers = "13, 1";
    m.validate();
    QCOMPARE(layersWithAttention(m), QString("1 13"));
    QCOMPARE(layersWithAttention(findPreset("gss-hybrid-125m-4").config.model), QString("1 5 9 13"));
}

void FamiliesTest::partsThatCanBeMuted()
{
    const auto m = of("gss-hybrid");
    QCOMPARE(joinList(modelParts(m)), std::string("gss, attention, main"));
    checkPart(m, -1, "attention");
    checkPart(m, 1, "attention");
    checkPart(m, 1, "main");
    QVERIFY_THROWS_EXCEPTION(ConfigError, checkPart(m, 0, "attention"));
    try {
        checkPart(m, 0, "attention");
    } catch (const ConfigError& e) {
        QCOMPARE(e.what(), "branch is \"attention\"; expected one of gss, the parts in layer 0");
    }
    const auto mixed = of("pha");
    checkPart(mixed, 2, "main"); // beside the branches of the mix
    QCOMPARE(joinList(shownParts(mixed, 0)), std::string("gss, attention, ffn"));
    QCOMPARE(joinList(shownParts(m, 1)), std::string("attention, main"));
}

void FamiliesTest::prunedParts()
{
    auto m = of("pha");
    m.prunedBranches = "0:attention, 1:gss,1:attention,1:ffn,1:main";
    m.validate();
    QCOMPARE(words(m, 0), QString("gss + ffn, main"));
    QCOMPARE(words(m, 1), QString("nothing"));
    QCOMPARE(words(m, 2), QString("gss + attention + ffn, main"));
    QCOMPARE(joinList(layerStages(m, 0)[0].sharers), std::string("gss, attention, ffn"));
    QCOMPARE(joinList(m.branchList()), std::string("gss, attention, ffn")); // what the weights are shared among
    QCOMPARE(prunedField(m, { { 3, "main" }, { 0, "gss" } }),
        std::string("0:gss,0:attention,1:gss,1:attention,1:ffn,1:main,3:main"));
    const auto whole = modelCosts(of("pha"), 256), left = modelCosts(m, 256);
    QVERIFY(left.parameters < whole.parameters && left.forwardFlopsPerToken < whole.forwardFlopsPerToken);
    QVERIFY(left.cacheElementsPerToken == whole.cacheElementsPerToken * double(m.layers - 2) / double(m.layers));
    for (const char* wrong : { "gss", "0:", ":gss", "-1:gss", "99:gss", "0:h3", "0:gss,0:gss" }) {
        m.prunedBranches = wrong;
        QVERIFY_THROWS_EXCEPTION(ConfigError, m.validate());
    }
    auto alone = of("gss", 1);
    alone.prunedBranches = "0:gss"; // nothing is left
    QVERIFY_THROWS_EXCEPTION(ConfigError, alone.validate());
    m.residualMode = "deepnorm_post"; // a stage without parts would still norm the stream
    m.prunedBranches = "0:main";
    QVERIFY_THROWS_EXCEPTION(ConfigError, m.validate());
    m.prunedBranches = "0:ffn";
    m.validate();
}

void FamiliesTest::everyFamilyIsWhole()
{
    for (const auto& family : families()) {
        QVERIFY2(family.summary.ends_with('.'), family.name.c_str());
        auto m = of(family.name.c_str());
        m.qkMode = "dot"; // linear attention has no other
        m.validate();
        for (std::int64_t layer = 0; layer < m.layers; ++layer)
            for (const auto& stage : layerStages(m, layer)) {
                QVERIFY(!stage.parts.empty() && (stage.mixed || stage.parts.size() == 1));
                for (const auto& part : stage.parts) QVERIFY2(findPart(part), part.c_str());
            }
    }
}

void FamiliesTest::unknownFamily()
{
    QVERIFY_THROWS_EXCEPTION(ConfigError, layerStages(of("transfomer"), 0));
    QVERIFY_THROWS_EXCEPTION(ConfigError, of("transfomer").validate());
}

void FamiliesTest::fieldsThatMatter_data()
{
    QTest::addColumn<QString>("matter");
    QTest::addColumn<QString>("rest");
    QTest::newRow("pha-tiny") << "mix_mode branches gss_kernel gss_init kv_heads aux_width main_width"
                              << "gss_scale gss_hidden h3_state feature_map attention_layers max_positions";
    QTest::newRow("pha-125m") << "gss_scale"
                              << "gss_init";
    QTest::newRow("pha-125m-r") << "gss_hidden gss_filter"
                                << "gss_kernel gss_state gss_convolution";
    QTest::newRow("pha-lean-tiny") << "mix_mode gss_width"
                                   << "aux_width";
    QTest::newRow("gss-tiny") << "gss_expand layers norm_kind"
                              << "mix_mode query_heads main_width ffn_kind zero_init biases positions aux_width";
    QTest::newRow("gss-hybrid-tiny") << "attention_layers main_width rope_base"
                                     << "branches h3_state";
    QTest::newRow("h3-tiny") << "h3_state attention_layers biases"
                             << "gss_kind rope_base feature_map";
    QTest::newRow("hedgehog-tiny") << "feature_map rope_base query_heads"
                                   << "attention_span gss_kind attention_layers";
    QTest::newRow("transformer-125m-classic") << "max_positions positions biases"
                                              << "rope_base";
}

void FamiliesTest::fieldsThatMatter()
{
    QFETCH(QString, matter);
    QFETCH(QString, rest);
    const auto& model = findPreset(QTest::currentDataTag()).config.model;
    for (const auto& name : matter.split(u' ')) QVERIFY2(fieldMatters(model, name.toStdString()), qPrintable(name));
    for (const auto& name : rest.split(u' ')) QVERIFY2(!fieldMatters(model, name.toStdString()), qPrintable(name));
}

PHA_TEST(FamiliesTest)
#include "families_test.moc"
